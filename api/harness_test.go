package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"proofstream/api/origin"
	"proofstream/api/sse"
	"proofstream/stream"
	"proofstream/stream/registry"
	"proofstream/stream/sqlitelog"
	"proofstream/stream/waitfor"
)

// API keys of the sites that a harness serves.
const (
	defaultKey = "canary-key-of-default"
	secondKey  = "canary-key-for-rotation"
	shopKey    = "canary-key-of-the-shop"
)

// setup is what a test may change before a Server is made.
type setup struct {
	Options  // except Log and Registry, which are made from the fields below
	registry registry.Options
	sqlite   sqlitelog.Options

	wrapLog      func(stream.Log) stream.Log
	wrapHandler  func(http.Handler) http.Handler
	wrapListener func(net.Listener) net.Listener
}

// harness is a Server on a real log and real sockets.
type harness struct {
	*Server
	url    string // http://127.0.0.1:PORT
	secure string // https://127.0.0.1:PORT, with HTTP/2
	output *waitfor.Output
	client *http.Client
}

// serve starts a Server for the sites default and shop over an empty log. It ends with the test.
func serve(t testing.TB, change ...func(*setup)) *harness {
	t.Helper()
	h := &harness{output: &waitfor.Output{}}
	o := setup{
		registry:     registry.Options{MaxSubscribers: 1000},
		sqlite:       sqlitelog.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)},
		wrapLog:      func(l stream.Log) stream.Log { return l },
		wrapHandler:  func(h http.Handler) http.Handler { return h },
		wrapListener: func(l net.Listener) net.Listener { return l },
	}
	o.Sites = []Site{
		{Name: "default", Keys: []string{defaultKey, secondKey}, OriginsVariable: "PROOF_ALLOWED_ORIGINS",
			Origins: origins(t, "https://pages.example.com", "http://localhost:*")},
		{Name: "shop", Keys: []string{shopKey}, OriginsVariable: "PROOF_SITES_0_ALLOWED_ORIGINS",
			Origins: origins(t, "https://shop.example.com")},
	}
	o.NewSiteVariable = "PROOF_SITES_1_NAME"
	o.Assets = fewAssets
	o.Logger = slog.New(slog.NewTextHandler(h.output, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, c := range change {
		c(&o)
	}
	log := sqlitelog.New(o.sqlite)
	if err := log.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.Log, o.Damage = o.wrapLog(log), log.Damage
	o.Registry = registry.New(o.Log, o.registry)
	var err error
	if h.Server, err = New(o.Options); err != nil {
		t.Fatal(err)
	}
	h.run(t, o, log)
	return h
}

// run serves on two free ports until the test ends.
func (h *harness) run(t testing.TB, o setup, log *sqlitelog.Log) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{log.Run, o.Registry.Run, h.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("ended early: %v", err)
			}
		})
	}
	plain, secure := h.listen(t, o), h.listen(t, o)
	plain.Start()
	secure.EnableHTTP2 = true
	secure.StartTLS()
	h.url, h.secure = plain.URL, secure.URL
	h.client = &http.Client{Timeout: waitfor.Patience, Transport: &http.Transport{
		DisableCompression: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // httptest's own
	}}
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		o.Registry.Drain(ctx, time.Millisecond)
		plain.Close()
		secure.Close()
		h.Wait(ctx)
		cancel()
		running.Wait()
		h.Close()
		log.Close()
	})
}

// listen returns a server on a free port that has not started yet.
func (h *harness) listen(t testing.TB, o setup) *httptest.Server {
	t.Helper()
	sockets := sse.ListenConfig()
	l, err := sockets.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := h.HTTP()
	config.Handler = o.wrapHandler(config.Handler)
	return &httptest.Server{Listener: o.wrapListener(l), Config: config}
}

var fewAssets = fstest.MapFS{
	"widget/proof.js": {Data: []byte("let a = 1")}, "widget/proof.css": {Data: []byte("a{}")},
	"widget/default.svg": {Data: []byte("<svg/>")}, "demo/demo.html": {Data: []byte("<!doctype html>")},
}

func origins(t testing.TB, patterns ...string) origin.List {
	t.Helper()
	list, err := origin.Parse(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// scrape returns what an operator's Prometheus reads.
func scrape(t testing.TB, s *Server) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.Ops().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("GET /metrics: got %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// awaitMetric waits until the metrics have a line.
func (h *harness) awaitMetric(t testing.TB, line string) {
	t.Helper()
	waitfor.Fact(t, line, func() bool { return strings.Contains(scrape(t, h.Server), "\n"+line+"\n") })
}

// awaitOutput waits for a log line with a text and returns it.
func (h *harness) awaitOutput(t testing.TB, text string) string {
	t.Helper()
	line, ok := h.output.Line(text, waitfor.Patience)
	if !ok {
		t.Fatalf("the log has no line with %q:\n%s", text, h.output)
	}
	return line
}
