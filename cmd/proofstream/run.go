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
	"proofstream/assets"
	"proofstream/stream"
	"proofstream/stream/natslog"
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
	if fit := fittingSubscribers(cfg.MaxSubscribers, descriptorLimit()); fit < cfg.MaxSubscribers {
		logger.Warn("PROOF_MAX_SUBSCRIBERS is more than the limit of open files allows: raise that (ulimit -n, LimitNOFILE)",
			"asked", cfg.MaxSubscribers, "max_subscribers", fit)
		cfg.MaxSubscribers = fit
	}
	log := newLog(cfg, logger)
	if cfg.NATSURL == "" { // one that is elsewhere opens while the service already listens
		if err := log.Open(ctx); err != nil {
			return fmt.Errorf("%w (set PROOF_DATA_DIR to a directory that this process may write and no other uses)", err)
		}
	}
	defer func() {
		if err := log.Close(); err != nil {
			logger.Error("log not closed cleanly", "error", err)
		}
	}()
	s, err := newService(cfg, log, logger)
	if err != nil {
		return err
	}
	return s.run(ctx, stderr, ready)
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

func newLog(cfg Config, logger *slog.Logger) *natslog.Log {
	return natslog.New(natslog.Options{
		Dir:       cfg.DataDir,
		Fsync:     cfg.SyncEvery,
		Retain:    cfg.Retain,
		Retention: cfg.Retention,
		Logger:    logger,
		URL:       cfg.NATSURL,
		CredsFile: cfg.NATSCredsFile,
		Stream:    cfg.NATSStream,
		Replicas:  cfg.NATSReplicas,
		Update:    cfg.NATSUpdate,
	})
}

// service is everything that runs, between config and exit.
type service struct {
	cfg      Config
	logger   *slog.Logger
	log      *natslog.Log
	registry *stream.Registry
	census   *natslog.Census
	face     *api.Server
	http     *http.Server
	link     transport
}

func newService(cfg Config, log *natslog.Log, logger *slog.Logger) (*service, error) {
	registry := stream.NewRegistry(log, stream.Options{
		Buffer:         cfg.Buffer,
		MaxSubscribers: cfg.MaxSubscribers,
		Retain:         cfg.Retain,
		Retention:      cfg.Retention,
	})
	census := natslog.NewCensus(log, func() map[string]int { return registry.Stats().Subscribers })
	sites, err := sitesOf(cfg)
	if err != nil {
		return nil, err
	}
	face, err := api.New(api.Options{
		Sites:    sites,
		Log:      log,
		Registry: registry,
		Poster:   &stream.Poster{Log: log, Registry: registry},
		Assets:   assets.Files,
		Retry:    cfg.Retry,
		Grace:    cfg.ShutdownGrace,
		Logger:   logger,

		Waiting:   true,
		Elsewhere: census.Elsewhere,

		MaxSubscribers:           cfg.MaxSubscribers,
		MaxSubscribersPerAddress: cfg.MaxSubscribersPerAddress,
		RateLimit:                cfg.RateLimit,
		TrustedProxies:           cfg.TrustedProxies,
		HSTS:                     cfg.secure(),
		Build:                    thisBuild(),
	})
	if err != nil {
		return nil, err
	}
	return &service{cfg: cfg, logger: logger, log: log, registry: registry, census: census, face: face,
		http: face.HTTP(), link: newTransport(cfg, logger)}, nil
}

func sitesOf(cfg Config) ([]api.Site, error) {
	var sites []api.Site
	for i, site := range cfg.Sites {
		origins, err := api.ParseOrigins(site.Origins)
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

// run starts every long-lived goroutine and waits for the first of them to stop, or for ctx. Then
// it stops the rest: streams first, the log last.
func (s *service) run(ctx context.Context, stderr io.Writer, ready func(net.Addr)) error {
	ops, err := openOps(s.cfg.MetricsAddr, s.logger)
	if err != nil {
		return err
	}
	work, stop := context.WithCancel(context.Background())
	defer stop()
	g, work := errgroup.WithContext(work)
	primed, listening := make(chan struct{}), make(chan net.Addr, 1)
	g.Go(func() error { return s.follow(work, g, func() { close(primed) }) })
	g.Go(func() error { return paceGarbage(work) })
	g.Go(func() error { return s.face.Run(work) })
	g.Go(func() error { return s.registry.Beat(work, s.cfg.Heartbeat) })
	g.Go(func() error { return ops.serve(work, s.face.Ops()) })
	g.Go(func() error { return s.link.servePlain(work, s.cfg.Addr, s.logger) })
	g.Go(func() error { return s.listen(work, primed, listening) })
	g.Go(func() error { return s.welcome(work, primed, listening, stderr, ready) })
	select {
	case <-ctx.Done():
	case <-work.Done():
	}
	err = s.shutdown()
	stop()
	return errors.Join(ended(g.Wait()), err)
}

// follow opens a log that is elsewhere, which may take until that is there, and hands its events out.
// What needs an open log runs in g from then on. It calls primed when everybody is welcome.
func (s *service) follow(ctx context.Context, g *errgroup.Group, primed func()) error {
	if s.cfg.NATSURL != "" {
		if err := s.log.Open(ctx); err != nil {
			return err
		}
	}
	g.Go(func() error { return s.log.Run(ctx) })
	g.Go(func() error { return s.census.Run(ctx) })
	return s.registry.Run(ctx, func() {
		s.face.Begin()
		primed()
	})
}

// listen serves until the server is shut down. With a log in this process it begins once that was
// read; with one elsewhere at once, and puts everybody off until then.
func (s *service) listen(work context.Context, primed <-chan struct{}, listening chan<- net.Addr) error {
	if s.cfg.NATSURL == "" {
		select {
		case <-primed:
		case <-work.Done():
			return work.Err()
		}
	}
	l, err := listen("PROOF_ADDR", s.cfg.Addr)
	if err != nil {
		return err
	}
	if s.cfg.NATSURL != "" {
		s.logger.Info("listening, and putting everybody off until the log was read", "address", l.Addr().String())
	}
	listening <- l.Addr()
	if err := s.link.serve(s.http, l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil // shutdown goes on with the rest
}

// welcome tells people and ready that the service serves, once it listens and the log was read.
func (s *service) welcome(work context.Context, primed <-chan struct{}, listening <-chan net.Addr, stderr io.Writer, ready func(net.Addr)) error {
	select {
	case <-primed:
	case <-work.Done():
		return work.Err()
	}
	select {
	case addr := <-listening:
		s.announce(stderr, addr)
		if ready != nil {
			ready(addr)
		}
		return nil
	case <-work.Done():
		return work.Err()
	}
}
