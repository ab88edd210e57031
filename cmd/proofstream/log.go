package main

import (
	"context"
	"log/slog"

	"proofstream/stream"
	"proofstream/stream/natslog"
	"proofstream/stream/sqlitelog"
)

// eventLog is a stream.Log with its life: it is opened, runs until its context ends, and is closed.
type eventLog interface {
	stream.Log
	Open(ctx context.Context) error
	Run(ctx context.Context) error
	Close() error
}

func (c Config) limits() stream.Limits { return stream.Limits{Events: c.Retain, Age: c.Retention} }

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
