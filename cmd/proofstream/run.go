package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"

	"golang.org/x/sync/errgroup"

	"proofstream/api"
	"proofstream/api/hook"
	"proofstream/api/origin"
	"proofstream/assets"
	"proofstream/stream/natslog"
	"proofstream/stream/registry"
	"proofstream/stream/sqlitelog"
)

// run runs the service that environ configures until ctx ends; then it ends every stream and returns nil. It logs to
// stderr. It looks at the files of keys, origins and secrets again at each signal from reload. It calls ready, unless nil, with the
// listening address as soon as the event log is open. An invalid environ is a *ConfigError.
func run(ctx context.Context, environ []string, stderr io.Writer, reload <-chan os.Signal, ready func(net.Addr)) error {
	cfg, err := readConfig(environ)
	if err != nil {
		return err
	}
	logger := newLogger(cfg, stderr)
	build := thisBuild()
	logger.Info("starting", "version", build.Version, "revision", build.Revision)
	logger.Debug("configuration", "config", cfg)
	warn(cfg, logger)
	limitSubscribers(&cfg, logger)
	limitMemory(&cfg, environ, logger)
	onServing := func(addr net.Addr) {
		announce(logger, cfg, stderr, addr)
		if ready != nil {
			ready(addr)
		}
	}
	s := &service{environ: environ, cfg: cfg, logger: logger, reload: reload, onServing: onServing}
	if err := s.assemble(); err != nil {
		return err
	}
	return s.run(ctx)
}

// service is the running service with its parts.
type service struct {
	environ   []string
	cfg       Config
	logger    *slog.Logger
	reload    <-chan os.Signal
	onServing func(net.Addr) // called once, when the event log is open
	log       eventLog
	cluster   *natslog.Log // the same as log, or nil if log is embedded
	registry  *registry.Registry
	presence  *natslog.Presence // nil if log is embedded
	hooks     []*hook.Hook
	server    *api.Server
	http      *http.Server
	transport transport
}

// assemble creates the parts of the service. What it opens, server.Close closes.
func (s *service) assemble() error {
	sites, err := sitesOf(s.cfg)
	if err != nil {
		return err
	}
	if s.hooks, err = hooksOf(s.cfg); err != nil {
		return err
	}
	o := api.Options{
		Sites:  sites,
		Hooks:  s.hooks,
		Assets: assets.Files,
		Retry:  s.cfg.Retry,
		Grace:  s.cfg.ShutdownGrace,
		Logger: s.logger,

		NewSiteVariable:          fmt.Sprintf("PROOF_SITES_%d_NAME", len(sites)-1), // the first site, default, has no index
		MaxSubscribers:           s.cfg.MaxSubscribers,
		MaxSubscribersPerAddress: s.cfg.MaxSubscribersPerAddress,
		RateLimit:                s.cfg.RateLimit,
		TrustedProxies:           s.cfg.TrustedProxies,
		HSTS:                     s.cfg.secure(),
		Build:                    thisBuild(),
	}
	if s.cfg.NATSURL != "" {
		s.cluster = natslog.New(clusterOptions(s.cfg, s.logger))
		s.log, o.Starting = s.cluster, true
	} else {
		embedded := sqlitelog.New(embeddedOptions(s.cfg, s.logger))
		s.log, o.Damage = embedded, embedded.Damage
	}
	s.registry = registry.New(s.log, registry.Options{Buffer: s.cfg.Buffer, MaxSubscribers: s.cfg.MaxSubscribers})
	if s.cluster != nil {
		s.presence = natslog.NewPresence(s.cluster, func() map[string]int { return s.registry.Stats().Subscribers })
		o.PeerSubscribers = s.presence.PeerStreams
	}
	o.Log, o.Registry = s.log, s.registry
	if s.server, err = api.New(o); err != nil {
		return err
	}
	s.http, s.transport = s.server.HTTP(), newTransport(s.cfg, s.logger)
	return nil
}

// sitesOf converts the configured sites, each with the variable that the message about a refused origin names.
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
		sites = append(sites, api.Site{Name: site.Name, Keys: site.Keys, Origins: origins, OriginsVariable: variable, Names: site.Names})
	}
	return sites, nil
}

// run opens an embedded log, listens, and serves until ctx ends or a part fails. It closes what it opens. A cluster's
// log is opened after the service listens, see openAndServe.
func (s *service) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.server.Close()) }()
	if s.cluster == nil {
		if err := s.log.Open(ctx); err != nil {
			return ignoreCanceled(fmt.Errorf("%w (PROOF_DATA_DIR chooses the directory)", err))
		}
	}
	defer func() {
		if err := s.log.Close(); err != nil {
			s.logger.Error("the event log was not closed cleanly", "error", err)
		}
	}()
	l, err := listen("PROOF_ADDR", s.cfg.Addr)
	if err != nil {
		return err
	}
	ops, err := openOps(s.cfg.MetricsAddr, s.cfg.Addr, s.logger)
	if err != nil {
		l.Close()
		return err
	}
	return s.runAll(ctx, l, ops)
}

// runAll starts every long-lived goroutine, and waits until ctx ends or one of them fails. Then it shuts down: streams,
// listener and posts first, everything else after them. So the goroutines have a context of their own.
func (s *service) runAll(ctx context.Context, l net.Listener, ops ops) error {
	running, stop := context.WithCancel(context.Background())
	defer stop()
	g, failed := errgroup.WithContext(running)
	g.Go(func() error { return releaseMemory(running) })
	g.Go(func() error { return s.registry.Run(running) })
	g.Go(func() error { return s.registry.Heartbeat(running, s.cfg.Heartbeat) })
	g.Go(func() error { return s.server.Run(running) })
	g.Go(func() error { return s.newReloader().run(running, s.reload) })
	g.Go(func() error { return ops.serve(running, s.server.Ops()) })
	g.Go(func() error { return s.transport.servePlain(running, s.cfg.Addr, s.logger) })
	g.Go(func() error { return s.transport.serve(s.http, l) })
	g.Go(func() error { return s.openAndServe(running, g, l.Addr()) })
	s.tellManager("READY=1") // it listens; a cluster may be out of reach for any time
	select {
	case <-ctx.Done():
	case <-failed.Done():
	}
	s.shutdown()
	stop()
	return ignoreCanceled(g.Wait())
}

// openAndServe runs the log in g and lets the server accept requests. It first opens a cluster's log, which may take any
// time: until then posts get 503 and streams get "busy".
func (s *service) openAndServe(ctx context.Context, g *errgroup.Group, addr net.Addr) error {
	if s.cluster != nil {
		s.logger.Info("listening; requests get 503 until the event log is open", "address", addr.String())
		if err := s.openCluster(ctx); err != nil {
			return err
		}
		g.Go(func() error { return s.presence.Run(ctx) })
	}
	g.Go(func() error { return s.log.Run(ctx) })
	s.server.Started()
	s.onServing(addr)
	return nil
}

// openCluster opens the cluster's log, and copies to it the embedded log of the data directory, if there is one.
func (s *service) openCluster(ctx context.Context) error {
	if err := s.cluster.Open(ctx); err != nil {
		return err
	}
	return migrate(ctx, s.cfg, s.logger, s.cluster)
}

// ignoreCanceled returns nil for context.Canceled, with which goroutines return on shutdown, and err otherwise.
func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
