package main

import (
	"context"
	"log/slog"

	"proofstream/stream"
	"proofstream/stream/natslog"
	"proofstream/stream/sqlitelog"
)

// eventLog is a stream.Log with its life cycle: Open, then Run until its context ends, then Close.
type eventLog interface {
	stream.Log
	Open(ctx context.Context) error
	Run(ctx context.Context) error
	Close() error
}

// limits returns the retention of each site.
func (c Config) limits() stream.Limits { return stream.Limits{Events: c.Retain, Age: c.Retention} }

// siteNames returns the configured sites, the default one first.
func (c Config) siteNames() (names []string) {
	for _, site := range c.Sites {
		names = append(names, site.Name)
	}
	return names
}

func embeddedOptions(cfg Config, logger *slog.Logger) sqlitelog.Options {
	return sqlitelog.Options{
		Dir:    cfg.DataDir,
		Sites:  cfg.siteNames(),
		Limits: cfg.limits(),
		Wait:   cfg.ShutdownGrace,
		Logger: logger,
	}
}

func clusterOptions(cfg Config, logger *slog.Logger) natslog.Options {
	return natslog.Options{
		URL:       cfg.NATSURL,
		CredsFile: cfg.NATSCredsFile,
		Stream:    cfg.NATSStream,
		Replicas:  cfg.NATSReplicas,
		Update:    cfg.NATSUpdate,
		Limits:    cfg.limits(),
		Sites:     cfg.siteNames(),
		Logger:    logger,
	}
}
