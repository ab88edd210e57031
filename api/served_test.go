package api_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"proofstream/api"
	"proofstream/api/origin"
	"proofstream/api/sse"
	"proofstream/assets"
	"proofstream/stream"
	"proofstream/stream/registry"
	"proofstream/stream/sqlitelog"
)

// These tests talk to the api over real sockets, with a real log behind it.

// patience is how long a test waits for a fact before it gives up.
const patience = 30 * time.Second

const (
	key      = "0123456789abcdef"
	otherKey = "fedcba9876543210"
)

// setup is what a test may change before the api is served.
type setup struct {
	api      api.Options
	registry registry.Options
	log      sqlitelog.Options
	wrapLog  func(stream.Log) stream.Log
	// wrap goes around the api's handler, listener around its listener.
	wrap     func(http.Handler) http.Handler
	listener func(net.Listener) net.Listener
}

// harness is a served api.
type harness struct {
	t        *testing.T
	url      string // http://127.0.0.1:PORT
	secure   string // https://127.0.0.1:PORT, with HTTP/2
	log      stream.Log
	registry *registry.Registry
	server   *api.Server
	said     *buffer // by the logger
	client   *http.Client
}

// serve starts an api for the sites default, of key, and other, of otherKey, over an empty log. It ends with the
// test.
func serve(t *testing.T, change ...func(*setup)) *harness {
	t.Helper()
	f := &harness{t: t, said: &buffer{}}
	logger := slog.New(slog.NewTextHandler(f.said, &slog.HandlerOptions{Level: slog.LevelInfo}))
	o := setup{
		log:      sqlitelog.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)},
		registry: registry.Options{MaxSubscribers: 1000},
		wrapLog:  func(l stream.Log) stream.Log { return l },
		wrap:     func(h http.Handler) http.Handler { return h },
		listener: func(l net.Listener) net.Listener { return l },
	}
	o.api.Sites = []api.Site{
		{Name: "default", Keys: []string{key}, Origins: origins(t, "https://shop.example", "http://localhost:*"), OriginsVariable: "PROOF_ALLOWED_ORIGINS"},
		{Name: "other", Keys: []string{otherKey}, Origins: origins(t, "https://other.example"), OriginsVariable: "PROOF_SITES_0_ALLOWED_ORIGINS"},
	}
	for _, c := range change {
		c(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	log := sqlitelog.New(o.log)
	err := log.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f.log = o.wrapLog(log)
	f.registry = registry.New(f.log, o.registry)
	o.api.Log, o.api.Registry, o.api.Assets, o.api.Logger = f.log, f.registry, assets.Files, logger
	if f.server, err = api.New(o.api); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{log.Run, f.registry.Run, f.server.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("ended early: %v", err)
			}
		})
	}
	plain, secure := f.listen(o, false), f.listen(o, true)
	f.client = &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableCompression: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // made up for the test
	}}
	t.Cleanup(func() {
		f.client.CloseIdleConnections()
		f.registry.Drain(ctx, time.Millisecond)
		plain.Close()
		secure.Close()
		f.server.Wait(ctx)
		cancel()
		running.Wait()
		f.server.Close()
		log.Close()
	})
	return f
}

func (f *harness) listen(o setup, secure bool) *httptest.Server {
	s := httptest.NewUnstartedServer(nil)
	s.Listener.Close()
	sockets := sse.ListenConfig()
	l, err := sockets.Listen(f.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	s.Listener = o.listener(l)
	config := f.server.HTTP()
	config.Handler = o.wrap(config.Handler)
	s.Config = config
	if secure {
		s.EnableHTTP2 = true
		s.StartTLS()
		f.secure = s.URL
	} else {
		s.Start()
		f.url = s.URL
	}
	return s
}

func origins(t *testing.T, list ...string) origin.List {
	t.Helper()
	o, err := origin.Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// answer is what a request was answered with.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask makes a request; headers are "Name: value".
func (f *harness) ask(method, path, body string, headers ...string) answer {
	f.t.Helper()
	r, err := http.NewRequest(method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	resp, err := f.client.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// post stores a signup of the default site and returns its id.
func (f *harness) post(json string) (id string) {
	f.t.Helper()
	a := f.ask("POST", "/signup", json, "Content-Type: application/json", "X-API-Key: "+key)
	id, found := strings.CutPrefix(a.body, `{"id":"`)
	id, _, ok := strings.Cut(id, `"`)
	if a.status != 200 || !found || !ok {
		f.t.Fatalf("post %.200s: got %d %s", json, a.status, a.body)
	}
	return id
}

// postSome stores n signups named 0, 1, 2 …, and returns their ids.
func (f *harness) postSome(n int) (ids []string) {
	f.t.Helper()
	for i := range n {
		ids = append(ids, f.post(fmt.Sprintf(`{"user_name":"%d"}`, i)))
	}
	return ids
}

// metrics returns what an operator would read.
func (f *harness) metrics() string {
	w := httptest.NewRecorder()
	f.server.Ops().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// way is one of the ways in which a stream reaches a client.
type way struct {
	name    string
	flush   bool   // needs an api with Options.Flush
	proto   string // HTTP/1.0, HTTP/1.1, HTTP/2.0
	secured bool
}

var ways = []way{
	{name: "HTTP/1.1", proto: "HTTP/1.1"},
	{name: "HTTP/1.0", proto: "HTTP/1.0"},
	{name: "HTTP/1.1 kept with net/http", flush: true, proto: "HTTP/1.1"},
	{name: "HTTP/1.0 kept with net/http", flush: true, proto: "HTTP/1.0"},
	{name: "HTTP/1.1 over TLS", proto: "HTTP/1.1", secured: true},
	{name: "HTTP/2", proto: "HTTP/2.0", secured: true},
}

// onEach runs a test for each way, with an api for it.
func onEach(t *testing.T, test func(t *testing.T, f *harness, w way), change ...func(*setup)) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			test(t, serve(t, append(change, func(o *setup) { o.api.Flush = w.flush })...), w)
		})
	}
}

// opened is a stream as its client sees it.
type opened struct {
	*http.Response
	lines *bufio.Reader
	cut   func() // ends the connection from the client's side
}

// open asks for a path of the api in one of the ways; headers are "Name: value".
func (f *harness) open(w way, path string, headers ...string) *opened {
	f.t.Helper()
	base := f.url
	if w.secured {
		base = f.secure
	}
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", base+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	o := &opened{cut: cancel}
	if w.proto == "HTTP/2.0" {
		tr := f.client.Transport.(*http.Transport).Clone()
		o.Response, err = tr.RoundTrip(r)
	} else {
		o.Response, err = roundTrip1(o, r, w)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { o.cut() })
	if o.Proto != w.proto {
		f.t.Fatalf("got an answer in %s, want %s", o.Proto, w.proto)
	}
	o.lines = bufio.NewReader(o.Body)
	return o
}

// roundTrip1 speaks HTTP/1 by hand: net/http's client does not speak HTTP/1.0.
func roundTrip1(o *opened, r *http.Request, w way) (*http.Response, error) {
	conn, err := net.DialTimeout("tcp", r.URL.Host, patience)
	if err != nil {
		return nil, err
	}
	o.cut = func() { conn.Close() }
	conn.SetReadDeadline(time.Now().Add(patience))
	if w.secured {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s %s\r\nHost: %s\r\n", r.URL.RequestURI(), w.proto, r.URL.Host)
	r.Header.Write(&b)
	b.WriteString("\r\n")
	if _, err := conn.Write(b.Bytes()); err != nil {
		return nil, err
	}
	return http.ReadResponse(bufio.NewReader(conn), r)
}

// buffer is bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// withFlush serves the same log and registry by an api that keeps streams with net/http.
func (f *harness) withFlush() *harness {
	f.t.Helper()
	kept := *f
	server, err := api.New(api.Options{
		Sites: []api.Site{{Name: "default", Keys: []string{key}}}, Flush: true,
		Log: f.log, Registry: f.registry, Assets: assets.Files,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	s := httptest.NewServer(server)
	f.t.Cleanup(func() {
		f.registry.Drain(context.Background(), time.Millisecond)
		s.Close()
		server.Close()
	})
	kept.server, kept.url = server, s.URL
	return &kept
}
