// Package api is the HTTP face of proofstream: who may post and subscribe, how bodies are read and
// errors told, and how each subscriber's connection is written to. Echo stays inside it.
//
// Reading order: server.go (routes), signup.go (a post), events.go (a stream), then wire.go and the
// two ways of writing to a connection, takeover.go and flush.go.
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

	"proofstream/stream"
)

// Site is one customer website as HTTP sees it.
type Site struct {
	Name    string
	Keys    []string // who may post; belong to no other site
	Origins Origins  // pages that may subscribe
	// OriginsVariable is the environment variable that lists the origins, for advice to the operator.
	OriginsVariable string
}

// Options configure a Server. Sites, Log, Registry, Poster and Assets are required. New wraps the
// Poster's log, to measure it.
type Options struct {
	Sites    []Site
	Log      stream.Log
	Registry *stream.Registry
	Poster   *stream.Poster
	// Assets holds proof.js, proof.css, default.svg and the demo page.
	Assets fs.FS
	// Retry is the reconnection delay asked of browsers, spread ±30 %. Default 3 s.
	Retry time.Duration
	// Grace is the longest time that a drain takes; browsers are asked to come back within it.
	// Default 10 s.
	Grace time.Duration
	// PostTimeout bounds how long a post waits for the log. Default 10 s.
	PostTimeout time.Duration
	// Patience is how long the body of a request may take to come, and then an answer that is no
	// stream to be taken. Default 25 s.
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
	// Waiting makes the server put everybody off until Begin: the log is not there yet, or not read.
	Waiting bool
	// Elsewhere returns how many streams of a site are open on other nodes. Default none.
	Elsewhere func(site string) int
	// Flush keeps streams on net/http's connections, as HTTP/2 does anyway, instead of taking them over.
	Flush bool
	// Logger defaults to none.
	Logger *slog.Logger
}

// Server answers every request of the service. Streams live on after ServeHTTP returns: end them
// with the registry's Drain, then Wait.
type Server struct {
	o         Options
	handler   http.Handler
	keys      keyring
	sites     map[string]*Site
	hangups   *hangups
	metrics   *metrics
	guesses   guesses
	crowd     crowd
	refused   refusals
	lingerers lingerers
	draining  atomic.Bool
	waiting   atomic.Bool
	streams   atomic.Int64 // open, but for those turned away
}

// New returns a Server, its assets read and compressed. It starts nothing: see Run.
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
	s.crowd.most = o.MaxSubscribersPerAddress
	s.waiting.Store(o.Waiting)
	for i := range o.Sites {
		s.sites[o.Sites[i].Name] = &o.Sites[i]
	}
	s.metrics = newMetrics(s)
	o.Poster.Log = timedLog{o.Poster.Log, s.metrics.append}
	var err error
	if s.hangups, err = newHangups(); err != nil {
		return nil, err
	}
	files, err := loadAssets(o.Assets)
	if err != nil {
		return nil, err
	}
	s.handler = s.withGuard(s.withCORS(s.routes(files)))
	return s, nil
}

func (s *Server) routes(files *assetFiles) http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = s.answerError
	e.Use(s.recovered)
	e.POST("/signup", s.judged(s.postSignup))
	e.DELETE("/signup/:id", s.judged(s.deleteSignup))
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

// Wait returns when no stream is open, or with the context's error. Those turned away meanwhile do not count.
func (s *Server) Wait(ctx context.Context) error { return awaitNone(ctx, &s.streams) }

// WaitTurnedAway returns when none of those turned away is there any more, for when no more can come.
func (s *Server) WaitTurnedAway(ctx context.Context) error { return awaitNone(ctx, &s.lingerers.n) }

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
		s.o.Logger.Warn("request not served", "request", requestID(c), "path", c.Path(), "status", p.Status, "error", err)
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
func (s *Server) Run(ctx context.Context) error { return s.hangups.run(ctx) }
