// Package api is the HTTP interface of proofstream: its routes, handlers, problems and metrics. Only this package knows Echo.
// The packages below it know no routes: auth (API keys and limits), decode (request bodies), hook (webhooks), origin (which pages may read, and
// CORS), sse (writing streams) and static (assets).
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
	"proofstream/api/hook"
	"proofstream/api/origin"
	"proofstream/api/sse"
	"proofstream/api/static"
	"proofstream/stream"
	"proofstream/stream/registry"
	"proofstream/stream/signup"
)

// Site is one customer website.
type Site struct {
	// Name is as stream.ValidSite says. The site named default is the one of requests that name none.
	Name string
	// Keys are the API keys that may post, none of them empty and none of another site. Without one the site gets no signups.
	Keys []string
	// Origins are the pages that may subscribe, beside the service's own. The zero value allows no other.
	Origins origin.List
	// OriginsVariable is the environment variable that lists the origins. The log, and the response, name it when an origin is
	// refused.
	OriginsVariable string
	// Names says what is stored and shown of a user_name. Default signup.FullNames.
	Names signup.Names
}

// Options configure a Server. Sites, Log, Registry and Assets are required. New does not check numbers and durations: the
// caller gives legal ones, and a zero duration is the default.
type Options struct {
	// Sites are the sites that are served, at least one. Names and keys must be unique: of two sites with one name, or two
	// sites with one key, the later one wins.
	Sites []Site
	// Hooks are the webhooks, each with a name of its own and for one of Sites. Of two with one name the later one wins. Default none.
	Hooks []*hook.Hook
	// NewSiteVariable is the environment variable that would name one more site. The log, and the response, name it when a
	// request asks for a site that does not exist. Default PROOF_SITES_0_NAME.
	NewSiteVariable string
	// Log must be the Registry's.
	Log stream.Log
	// Registry must not be draining.
	Registry *registry.Registry
	// Assets holds proof.js, proof.css, default.svg and demo.html; New fails without one of them. Other scripts, style sheets,
	// pictures and pages in it are served too, files of other kinds are not.
	Assets fs.FS
	// Retry is the reconnection delay of browsers, spread ±30 % over streams. Positive; default 3 s.
	Retry time.Duration
	// Grace is the longest time that a drain takes. Browsers reconnect after 1 s to Grace; less than 1 s counts as 1 s.
	// Positive; default 10 s.
	Grace time.Duration
	// PostTimeout bounds how long a post, or any other request, waits for the log. Positive; default 10 s.
	PostTimeout time.Duration
	// ClientTimeout bounds how long a client takes to send the body of a request, and then again to read the response, unless
	// that is a stream. Positive; default 25 s.
	ClientTimeout time.Duration
	// MaxSubscribers is the Registry's limit. It is only shown as a metric.
	MaxSubscribers int
	// MaxSubscribersPerAddress is how many streams one client address (IPv6: one /64) may have open. 0, the default, is no
	// limit; a negative number refuses every stream.
	MaxSubscribersPerAddress int
	// RateLimit is how many signups a second each key, and each hook, may post, and twice that at once. 0, the default, and negative numbers
	// are no limit.
	RateLimit int
	// TrustedProxies are the networks whose X-Forwarded-For is believed. Default none. IPv4 networks must not be written as
	// IPv6: they would match nothing.
	TrustedProxies []netip.Prefix
	// HSTS adds Strict-Transport-Security, which makes browsers use only HTTPS for a year. Set it where TLS is on.
	HSTS bool
	// Build is shown as a metric.
	Build Build
	// Starting makes the Server respond with 503, and with busy to streams, until Started is called: the log is not open yet.
	Starting bool
	// PeerSubscribers returns how many streams of a site are open on other nodes, at least 0. Default none.
	PeerSubscribers func(site string) int
	// Damage returns how many faults were found in the log's files, for metrics. Without it, for a log that has no files, there
	// is no such metric.
	Damage func() int
	// Flush keeps HTTP/1 streams on net/http's connections, as HTTP/2 streams always are, instead of taking them over.
	Flush bool
	// Logger defaults to one that discards.
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
	if o.ClientTimeout == 0 {
		o.ClientTimeout = 25 * time.Second
	}
	if o.NewSiteVariable == "" {
		o.NewSiteVariable = "PROOF_SITES_0_NAME"
	}
	if o.PeerSubscribers == nil {
		o.PeerSubscribers = func(string) int { return 0 }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Server handles every request of the service. It is safe for concurrent use. Streams stay open after ServeHTTP returns: end
// them with the registry's Drain, then call Wait.
type Server struct {
	o              Options
	handler        http.Handler
	keys           auth.Keyring
	origins        atomic.Pointer[map[string]origin.List] // by site
	sites          map[string]*Site
	hooks          map[string]webhook
	streams        *sse.Server
	metrics        *metrics
	failures       auth.Failures
	connections    auth.Connections
	refusedOrigins firsts
	refusedSites   firsts
	notes          hourly
	draining       atomic.Bool
	starting       atomic.Bool
}

// New returns a Server whose assets are read and minified. It starts no goroutine: see Run. Call Close when it is
// no longer used. The error is that of the assets, or of opening an epoll set.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	files, err := static.Load(o.Assets)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, sites: make(map[string]*Site), hooks: make(map[string]webhook)}
	s.connections.Max, s.connections.Proxies = o.MaxSubscribersPerAddress, o.TrustedProxies
	s.starting.Store(o.Starting)
	for i, site := range o.Sites {
		s.sites[site.Name] = &o.Sites[i]
	}
	s.setAccess(o.Sites)
	for _, h := range o.Hooks {
		s.hooks[h.Name()] = newWebhook(h, o.RateLimit)
	}
	s.metrics = newMetrics(s)
	s.streams, err = sse.New(sse.Options{Registry: o.Registry, Retry: o.Retry, Grace: o.Grace, Flush: o.Flush})
	if err != nil {
		return nil, err
	}
	s.handler = s.withGuard(s.withCORS(s.routes(files)))
	return s, nil
}

// Close closes what New has opened. Call it when Run has returned and no stream is open.
func (s *Server) Close() error { return s.streams.Close() }

func (s *Server) routes(files *static.Files) http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = s.handleError
	e.Use(s.recovered, s.withMethodHint)
	e.POST("/signup", s.counted(s.postSignup))
	e.POST("/hooks/:name", s.countedHook(s.postHook))
	e.DELETE("/signup", s.counted(s.deleteByKey))
	e.DELETE("/signup/:id", s.counted(s.deleteSignup))
	e.GET("/events", s.getEvents)
	for path, h := range map[string]echo.HandlerFunc{
		"/recent":       s.getRecent,
		"/stats":        s.getStats,
		"/admin/events": s.getAdminEvents,
		"/":             getDemo(files),
		"/assets/:name": getAsset(files),
		"/openapi.yaml": getOpenAPI,
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

// ServeHTTP handles one request. Its w must be net/http's own for /events.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// HTTP returns a net/http server for s, without an address. It limits the time for headers, idle connections and pings, not
// that for a whole response: each write of a stream has its own limit.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 8 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		HTTP2: &http.HTTP2Config{ // by these a vanished client is noticed
			SendPingTimeout:  20 * time.Second,
			PingTimeout:      20 * time.Second,
			WriteByteTimeout: sse.MaxStall,
		},
		ErrorLog: slog.NewLogLogger(s.o.Logger.Handler(), slog.LevelDebug),
	}
}

// Started ends the state that Options.Starting sets: posts and streams are served from now on.
func (s *Server) Started() { s.starting.Store(false) }

// Refuse makes /ready respond with 503 and new streams with busy, until the end. Open streams stay.
func (s *Server) Refuse() {
	s.draining.Store(true)
	s.o.Registry.Refuse()
}

// Wait returns nil when no stream is open, or the context's error. Streams refused with busy do not count.
func (s *Server) Wait(ctx context.Context) error { return s.streams.Wait(ctx) }

// WaitBusy returns nil when no stream refused with busy is open, or the context's error. Call it when no more can come,
// after the listeners have been closed.
func (s *Server) WaitBusy(ctx context.Context) error { return s.streams.WaitBusy(ctx) }

// Run ends the streams whose clients disconnect, until ctx ends. It returns the context's error, or earlier that of the epoll
// set.
func (s *Server) Run(ctx context.Context) error { return s.streams.Run(ctx) }
