// Package api is the HTTP face of proofstream: its routes, handlers, problems and metrics. Echo stays inside it. The
// parts below know no routes: auth (who posts, and how much), decode (request bodies), origin (which pages may read),
// sse (writing streams) and static (assets).
//
// Reading order: server.go (routes), signup.go (a post), events.go (a stream), then package sse.
package api

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/api/auth"
	"proofstream/api/origin"
	"proofstream/api/sse"
	"proofstream/api/static"
	"proofstream/stream"
	"proofstream/stream/registry"
)

// Site is one customer website as HTTP sees it.
type Site struct {
	Name    string
	Keys    []string    // who may post; belong to no other site
	Origins origin.List // pages that may subscribe
	// OriginsVariable is the environment variable that lists the origins, for advice to the operator.
	OriginsVariable string
}

// Options configure a Server. Sites, Log, Registry and Assets are required.
type Options struct {
	Sites    []Site
	Log      stream.Log // the Registry's
	Registry *registry.Registry
	// Assets holds proof.js, proof.css, default.svg and the demo page.
	Assets fs.FS
	// Retry is the reconnection delay asked of browsers, spread ±30 %. Default 3 s.
	Retry time.Duration
	// Grace is the longest time that a drain takes; browsers are asked to come back within it.
	// Default 10 s.
	Grace time.Duration
	// PostTimeout bounds how long a post, or another request, waits for the log. Default 10 s.
	PostTimeout time.Duration
	// Patience is how long the client may take to send the body of a request, and then to read an
	// answer that is no stream. Default 25 s.
	Patience time.Duration
	// MaxSubscribers is the registry's, for metrics.
	MaxSubscribers int
	// MaxSubscribersPerAddress is how many streams one address may hold. Default 0, without limit.
	MaxSubscribersPerAddress int
	// RateLimit is how many signups a second each key may post, twice that at once. Default 0,
	// without limit.
	RateLimit int
	// TrustedProxies are the networks whose X-Forwarded-For is believed. Default none.
	TrustedProxies []netip.Prefix
	// HSTS tells browsers to come back by HTTPS only: set it where TLS is on.
	HSTS bool
	// Build says which program this is, for metrics.
	Build Build
	// Waiting makes the server answer 503, and streams busy, until Begin: the log is not open yet.
	Waiting bool
	// Elsewhere returns how many streams of a site are open on other nodes. Default none.
	Elsewhere func(site string) int
	// Damage returns how many faults were found in the log's files, for metrics. Default none: not
	// every log has files.
	Damage func() int
	// Flush keeps streams on net/http's connections, as HTTP/2 does anyway, instead of taking them over.
	Flush bool
	// Logger defaults to none.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Retry == 0 {
		o.Retry = 3 * time.Second
	}
	if o.Grace == 0 {
		o.Grace = 10 * time.Second
	}
	if o.PostTimeout == 0 {
		o.PostTimeout = 10 * time.Second
	}
	if o.Patience == 0 {
		o.Patience = 25 * time.Second
	}
	if o.Elsewhere == nil {
		o.Elsewhere = func(string) int { return 0 }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Server answers every request of the service. Streams live on after ServeHTTP returns: end them
// with the registry's Drain, then Wait.
type Server struct {
	o           Options
	handler     http.Handler
	keys        auth.Keyring
	sites       map[string]*Site
	streams     *sse.Server
	metrics     *metrics
	failures    auth.Failures
	connections auth.Connections
	refusals    origin.Refusals
	draining    atomic.Bool
	waiting     atomic.Bool
}

// New returns a Server, its assets read and compressed. It starts nothing: see Run. Call Close when it is
// no longer used.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	files, err := static.Load(o.Assets)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, sites: make(map[string]*Site)}
	s.connections.Max, s.connections.Proxies = o.MaxSubscribersPerAddress, o.TrustedProxies
	s.waiting.Store(o.Waiting)
	for i, site := range o.Sites {
		s.sites[site.Name] = &o.Sites[i]
		s.keys.Add(site.Name, site.Keys, o.RateLimit)
	}
	s.metrics = newMetrics(s)
	s.streams, err = sse.New(sse.Options{Registry: o.Registry, Retry: o.Retry, Grace: o.Grace, Flush: o.Flush})
	if err != nil {
		return nil, err
	}
	s.handler = s.withGuard(s.withCORS(s.routes(files)))
	return s, nil
}

// Close frees what New has opened. Call it when Run has returned and no stream is open.
func (s *Server) Close() error { return s.streams.Close() }

func (s *Server) routes(files *static.Files) http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = s.answerError
	e.Use(s.recovered)
	e.POST("/signup", s.counted(s.postSignup))
	e.DELETE("/signup/:id", s.counted(s.deleteSignup))
	e.GET("/events", s.getEvents)
	for path, h := range map[string]echo.HandlerFunc{
		"/recent":       s.getRecent,
		"/stats":        s.getStats,
		"/":             getDemo(files),
		"/assets/:name": getAsset(files),
		"/live":         s.getLive,
		"/ready":        s.getReady,
	} {
		e.GET(path, h)
		e.HEAD(path, h)
	}
	return e
}

func getDemo(files *static.Files) echo.HandlerFunc {
	return func(c echo.Context) error {
		files.ServeDemo(c.Response(), c.Request())
		return nil
	}
}

func getAsset(files *static.Files) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !files.ServeAsset(c.Response(), c.Request(), c.Param("name")) {
			return echo.ErrNotFound
		}
		return nil
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// HTTP returns a net/http server around s with the time limits that streams can live with: none
// on writing as a whole, for each write of a stream has its own.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 8 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		HTTP2: &http.HTTP2Config{ // a connection whose other end has vanished is noticed by these
			SendPingTimeout:  20 * time.Second,
			PingTimeout:      20 * time.Second,
			WriteByteTimeout: sse.MaxStall,
		},
		ErrorLog: slog.NewLogLogger(s.o.Logger.Handler(), slog.LevelDebug),
	}
}

// Begin ends the waiting that Options.Waiting began.
func (s *Server) Begin() { s.waiting.Store(false) }

// Refuse makes Ready answer 503 and new streams busy.
func (s *Server) Refuse() {
	s.draining.Store(true)
	s.o.Registry.Refuse()
}

// Wait returns when no stream is open, or with the context's error. New ones that are answered busy meanwhile
// do not count.
func (s *Server) Wait(ctx context.Context) error { return s.streams.Wait(ctx) }

// WaitBusy returns when no new stream that was answered busy is open, or with the context's error. Call it when no
// more can come.
func (s *Server) WaitBusy(ctx context.Context) error { return s.streams.WaitBusy(ctx) }

// Run ends the streams whose clients disconnect, until ctx ends.
func (s *Server) Run(ctx context.Context) error { return s.streams.Run(ctx) }
