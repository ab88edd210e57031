// Package api is the HTTP face of proofstream: who may post and subscribe, how bodies are read and
// errors told, and how each subscriber's connection is written to. Echo stays inside it.
//
// Reading order: server.go (routes), signup.go (a post), events.go (a stream), then writer.go and the
// two ways of writing to a connection, takeover.go and flush.go.
package api

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/stream"
	"proofstream/stream/registry"
)

// Site is one customer website as HTTP sees it.
type Site struct {
	Name    string
	Keys    []string // who may post; belong to no other site
	Origins Origins  // pages that may subscribe
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

// Server answers every request of the service. Streams live on after ServeHTTP returns: end them
// with the registry's Drain, then Wait.
type Server struct {
	o           Options
	handler     http.Handler
	keys        keyring
	sites       map[string]*Site
	disconnects *disconnects
	metrics     *metrics
	failedAuth  failedAuth
	connections connections
	refused     refusals
	held        held
	draining    atomic.Bool
	waiting     atomic.Bool
	streams     atomic.Int64 // open, except those answered busy at once
}

// New returns a Server, its assets read and compressed. It starts nothing: see Run. Call Close when it is
// no longer used.
func New(o Options) (*Server, error) {
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
	s := &Server{o: o, keys: newKeyring(o.Sites, o.RateLimit), sites: make(map[string]*Site)}
	s.connections.most = o.MaxSubscribersPerAddress
	s.waiting.Store(o.Waiting)
	for i := range o.Sites {
		s.sites[o.Sites[i].Name] = &o.Sites[i]
	}
	s.metrics = newMetrics(s)
	files, err := loadAssets(o.Assets)
	if err != nil {
		return nil, err
	}
	if s.disconnects, err = newDisconnects(); err != nil {
		return nil, err
	}
	s.handler = s.withGuard(s.withCORS(s.routes(files)))
	return s, nil
}

// Close frees what New has opened. Call it when Run has returned and no stream is open.
func (s *Server) Close() error { return s.disconnects.close() }

func (s *Server) routes(files *assetFiles) http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = s.answerError
	e.Use(s.recovered)
	e.POST("/signup", s.counted(s.postSignup))
	e.DELETE("/signup/:id", s.counted(s.deleteSignup))
	e.GET("/events", s.getEvents)
	for path, h := range map[string]echo.HandlerFunc{
		"/recent":       s.getRecent,
		"/stats":        s.getStats,
		"/":             files.demo,
		"/assets/:name": files.asset,
		"/live":         s.getLive,
		"/ready":        s.getReady,
	} {
		e.GET(path, h)
		e.HEAD(path, h)
	}
	return e
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	makeRoom()
	s.handler.ServeHTTP(w, r)
}

// makeRoom grows the stack to what a request needs. Here few frames have to be moved; left to itself,
// the runtime moves them where they are deepest, which costs a new connection a tenth of its time.
//
//go:noinline
func makeRoom() {
	var room [5 << 10]byte
	takeRoom(&room)
}

//go:noinline
func takeRoom(*[5 << 10]byte) {}

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
			WriteByteTimeout: slowMost,
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
func (s *Server) Wait(ctx context.Context) error { return awaitNone(ctx, &s.streams) }

// WaitTurnedAway returns when no new stream that was answered busy is open, for when no more can come.
func (s *Server) WaitTurnedAway(ctx context.Context) error { return awaitNone(ctx, &s.held.n) }

func awaitNone(ctx context.Context, n *atomic.Int64) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n.Load() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// answerError turns every error of a handler, and Echo's own, into a problem.
func (s *Server) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	p := problemOf(echoProblem(err))
	if s.keys.holder(p.Field) != nil { // sent without a name before it: not even to its owner is it repeated
		p = &Problem{Status: p.Status, Detail: "An API key stands where a field's name should: send it as api_key"}
	}
	if p.Status >= 500 {
		level := slog.LevelWarn
		if errors.Is(err, context.Canceled) { // the client has left
			level = slog.LevelDebug
		}
		s.o.Logger.Log(c.Request().Context(), level, "request not served", "request", requestID(c), "path", c.Path(), "status", p.Status, "error", err)
	}
	writeProblem(c.Response(), c.Request(), p)
}

// echoProblem gives Echo's routing errors our words.
func echoProblem(err error) error {
	he, ok := err.(*echo.HTTPError)
	if !ok {
		return err
	}
	switch he.Code {
	case http.StatusNotFound:
		return &Problem{Status: he.Code, Detail: "There is nothing at this address: see / for what there is"}
	case http.StatusMethodNotAllowed:
		return &Problem{Status: he.Code, Detail: "This address does not know that method: see the Allow header"}
	}
	return &Problem{Status: he.Code, Detail: http.StatusText(he.Code)}
}

// siteOf returns the site that a request names, checked against its origin. The error is a 404 or,
// after that, a 403.
func (s *Server) siteOf(c echo.Context) (*Site, error) {
	r := c.Request()
	name := queryValue(r, "site")
	if name == "" {
		name = "default"
	}
	site := s.sites[name]
	if site == nil {
		return nil, &Problem{Status: http.StatusNotFound, Detail: "There is no such site: check data-site in the page's script tag"}
	}
	if origin := r.Header.Get("Origin"); origin != "" && !allowed(r, site, origin) {
		s.refused.warn(s.o.Logger, site, origin)
		return nil, &Problem{Status: http.StatusForbidden, Detail: "Pages of this origin may not subscribe: the service's log says what to do about it"}
	}
	return site, nil
}

// Run looks after open streams until ctx ends.
func (s *Server) Run(ctx context.Context) error { return s.disconnects.run(ctx) }
