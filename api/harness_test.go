package api

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"proofstream/api/decode"
	"proofstream/api/origin"
	"proofstream/api/sse"
	"proofstream/stream/registry"
	"proofstream/stream/sqlitelog"
)

// Keys of the sites that a harness serves.
const (
	defaultKey = "canary-key-of-default"
	secondKey  = "canary-key-for-rotation"
	shopKey    = "canary-key-of-the-shop"
)

// said is what a logger wrote. It may be written and read at the same time.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// harness is a Server on a real log and a real socket.
type harness struct {
	*Server
	url string
	log *said
}

// newHarness starts a Server for the sites default (two keys) and shop. change, if given, may set
// further options; the registry is made over the log that it leaves.
func newHarness(t *testing.T, change func(*Options)) *harness {
	t.Helper()
	f := &harness{log: &said{}}
	logger := slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	log := sqlitelog.New(sqlitelog.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err := log.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	o := Options{
		Sites: []Site{
			{Name: "default", Keys: []string{defaultKey, secondKey}, Origins: origins(t, "https://pages.example.com")},
			{Name: "shop", Keys: []string{shopKey}, Origins: origins(t, "https://shop.example.com")},
		},
		Log: log, Damage: log.Damage, Assets: fewAssets, Logger: logger,
	}
	if change != nil {
		change(&o)
	}
	o.Registry = registry.New(o.Log, registry.Options{})
	var err error
	if f.Server, err = New(o); err != nil {
		t.Fatal(err)
	}
	f.serve(t, log.Run, o.Registry.Run, f.Run)
	return f
}

var fewAssets = fstest.MapFS{
	"proof.js": {Data: []byte("let a = 1")}, "proof.css": {Data: []byte("a{}")},
	"default.svg": {Data: []byte("<svg/>")}, "demo.html": {Data: []byte("<!doctype html>")},
}

func origins(t *testing.T, patterns ...string) origin.List {
	t.Helper()
	o, err := origin.Parse(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// serve answers on a free port, beside what else runs, until the test ends.
func (f *harness) serve(t *testing.T, run ...func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range run {
		running.Go(func() { run(ctx) })
	}
	sockets := sse.ListenConfig()
	l, err := sockets.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.url = "http://" + l.Addr().String()
	server := f.HTTP()
	running.Go(func() { server.Serve(l) })
	t.Cleanup(func() {
		f.o.Registry.Drain(ctx, time.Millisecond)
		server.Close()
		stop()
		running.Wait()
		f.Close()
	})
}

// answered is what a request was answered with.
type answered struct {
	status int
	header http.Header
	body   string
}

// plainly makes one connection for each request.
var plainly = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}

// ask makes a request; headers are "Name: value". A body is a form, unless they say otherwise.
func (f *harness) ask(t testing.TB, method, path, body string, headers ...string) answered {
	t.Helper()
	r, err := http.NewRequest(method, f.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", decode.Form)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := plainly.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil && !strings.HasPrefix(path, "/events") { // which end without their final chunk
		t.Fatal(err)
	}
	return answered{resp.StatusCode, resp.Header, string(b)}
}

// open opens a stream and returns its head, and what closes it.
func (f *harness) open(t testing.TB, path string, headers ...string) (*http.Response, func()) {
	t.Helper()
	r, err := http.NewRequest("GET", f.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := plainly.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp, func() { resp.Body.Close() }
}

// metrics returns what an operator would read.
func (f *harness) scrape(t testing.TB) string {
	t.Helper()
	w := httptest.NewRecorder()
	f.Ops().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("GET /metrics: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// eventually waits for a fact.
func eventually(t testing.TB, what string, fact func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !fact(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// eventuallyCounts waits until a line of the metrics reads as given.
func (f *harness) eventuallyCounts(t testing.TB, line string) {
	t.Helper()
	eventually(t, line, func() bool { return strings.Contains(f.scrape(t), "\n"+line+"\n") })
}
