package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"

	"golang.org/x/sync/errgroup"

	"proofstream/api"
	"proofstream/api/origin"
	"proofstream/assets"
	"proofstream/stream/natslog"
	"proofstream/stream/registry"
	"proofstream/stream/sqlitelog"
)

// run is the program: it serves what environ configures until ctx ends, then ends every stream and
// returns nil. It tells people on stderr, and calls ready, if given, with the address once it
// serves. The error is a *ConfigError when environ is at fault.
func run(ctx context.Context, environ []string, stderr io.Writer, ready func(net.Addr)) error {
	cfg, err := readConfig(environ)
	if err != nil {
		return err
	}
	logger := newLogger(cfg, stderr)
	build := thisBuild()
	logger.Info("starting", "version", build.Version, "revision", build.Revision)
	logger.Debug("configuration", "config", cfg)
	if fit := capSubscribers(cfg.MaxSubscribers, descriptorLimit()); fit < cfg.MaxSubscribers {
		logger.Warn("PROOF_MAX_SUBSCRIBERS is more than the limit of open files allows: raise that (ulimit -n, LimitNOFILE)",
			"asked", cfg.MaxSubscribers, "max_subscribers", fit)
		cfg.MaxSubscribers = fit
	}
	s := &service{cfg: cfg, logger: logger, serving: func(addr net.Addr) {
		announce(logger, cfg, stderr, addr)
		if ready != nil {
			ready(addr)
		}
	}}
	if err := s.assemble(); err != nil {
		return err
	}
	return s.run(ctx)
}

func newLogger(cfg Config, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		o.ReplaceAttr = func(_ []string, a slog.Attr) slog.Attr {
			if a.Value.Kind() == slog.KindDuration { // which slog writes as nanoseconds
				a.Value = slog.Float64Value(a.Value.Duration().Seconds())
			}
			return a
		}
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// service is everything that runs, between config and exit.
type service struct {
	cfg      Config
	logger   *slog.Logger
	serving  func(net.Addr) // called once, when the service serves
	log      eventLog
	cluster  *natslog.Log // log, if that is a cluster's
	registry *registry.Registry
	presence *natslog.Presence
	server   *api.Server
	http     *http.Server
	link     transport
}

// assemble makes the parts of the service. It opens nothing but what server.Close closes.
func (s *service) assemble() error {
	sites, err := sitesOf(s.cfg)
	if err != nil {
		return err
	}
	o := api.Options{
		Sites:  sites,
		Assets: assets.Files,
		Retry:  s.cfg.Retry,
		Grace:  s.cfg.ShutdownGrace,
		Logger: s.logger,

		MaxSubscribers:           s.cfg.MaxSubscribers,
		MaxSubscribersPerAddress: s.cfg.MaxSubscribersPerAddress,
		RateLimit:                s.cfg.RateLimit,
		TrustedProxies:           s.cfg.TrustedProxies,
		HSTS:                     s.cfg.secure(),
		Build:                    thisBuild(),
	}
	if s.cfg.NATSURL != "" {
		s.cluster = natslog.New(clusterOptions(s.cfg, s.logger))
		s.log, o.Waiting = s.cluster, true
	} else {
		embedded := sqlitelog.New(embeddedOptions(s.cfg, s.logger))
		s.log, o.Damage = embedded, embedded.Damage
	}
	s.registry = registry.New(s.log, registry.Options{Buffer: s.cfg.Buffer, MaxSubscribers: s.cfg.MaxSubscribers})
	if s.cluster != nil {
		s.presence = natslog.NewPresence(s.cluster, func() map[string]int { return s.registry.Stats().Subscribers })
		o.Elsewhere = s.presence.Elsewhere
	}
	o.Log, o.Registry = s.log, s.registry
	if s.server, err = api.New(o); err != nil {
		return err
	}
	s.http, s.link = s.server.HTTP(), newTransport(s.cfg, s.logger)
	return nil
}

func sitesOf(cfg Config) ([]api.Site, error) {
	var sites []api.Site
	for i, site := range cfg.Sites {
		origins, err := origin.Parse(site.Origins)
		if err != nil {
			return nil, err
		}
		variable := "PROOF_ALLOWED_ORIGINS"
		if i > 0 {
			variable = fmt.Sprintf("PROOF_SITES_%d_ALLOWED_ORIGINS", i-1)
		}
		sites = append(sites, api.Site{Name: site.Name, Keys: site.Keys, Origins: origins, OriginsVariable: variable})
	}
	return sites, nil
}

// run opens an embedded log, then listens, and serves until ctx ends or something fails. It closes what it
// opens.
func (s *service) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.server.Close()) }()
	if s.cluster == nil {
		if err := s.log.Open(ctx); err != nil {
			return ended(fmt.Errorf("%w (PROOF_DATA_DIR chooses the directory)", err))
		}
	}
	defer func() {
		if err := s.log.Close(); err != nil {
			s.logger.Error("log not closed cleanly", "error", err)
		}
	}()
	ops, err := openOps(s.cfg.MetricsAddr, s.logger)
	if err != nil {
		return err
	}
	l, err := listen("PROOF_ADDR", s.cfg.Addr)
	if err != nil {
		ops.close()
		return err
	}
	return s.runAll(ctx, l, ops)
}

// runAll starts every long-lived goroutine and waits for the first of them to fail, or for ctx. Then it ends
// streams, listener and posts, after them everything else.
func (s *service) runAll(ctx context.Context, l net.Listener, ops ops) error {
	running, stop := context.WithCancel(context.Background())
	defer stop()
	g, failed := errgroup.WithContext(running)
	g.Go(func() error { return paceGarbage(running) })
	g.Go(func() error { return s.registry.Run(running) })
	g.Go(func() error { return s.registry.Heartbeat(running, s.cfg.Heartbeat) })
	g.Go(func() error { return s.server.Run(running) })
	g.Go(func() error { return ops.serve(running, s.server.Ops()) })
	g.Go(func() error { return s.link.servePlain(running, s.cfg.Addr, s.logger) })
	g.Go(func() error { return s.link.serve(s.http, l) })
	g.Go(func() error { return s.begin(running, g, l.Addr()) })
	select {
	case <-ctx.Done():
	case <-failed.Done():
	}
	s.shutdown()
	stop()
	return ended(g.Wait())
}

// begin runs the log in g and lets everybody in. A cluster's log is opened first: until that is there,
// which may take any time, requests are put off.
func (s *service) begin(ctx context.Context, g *errgroup.Group, addr net.Addr) error {
	if s.cluster != nil {
		s.logger.Info("listening, and putting requests off until the event log is open", "address", addr.String())
		if err := s.openCluster(ctx); err != nil {
			return err
		}
		g.Go(func() error { return s.presence.Run(ctx) })
	}
	g.Go(func() error { return s.log.Run(ctx) })
	s.server.Begin()
	s.serving(addr)
	return nil
}

// openCluster opens the cluster's log and copies an embedded one there that the data directory may hold.
func (s *service) openCluster(ctx context.Context) error {
	if err := s.cluster.Open(ctx); err != nil {
		return err
	}
	return migrate(ctx, s.cfg, s.logger, s.cluster)
}

// ended returns nil for the error with which goroutines end when they are told to.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
