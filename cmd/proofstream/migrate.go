package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"

	"proofstream/stream/natslog"
	"proofstream/stream/sqlitelog"
)

// migrate copies the embedded log in the data directory, if there is one, to the cluster: each site that has no
// stream there. It waits for a process that still runs on the directory.
func migrate(ctx context.Context, cfg Config, logger *slog.Logger, to *natslog.Log) error {
	reader, err := sqlitelog.OpenReader(cfg.DataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer reader.Close()
	release, err := sqlitelog.Hold(ctx, embeddedOptions(cfg, logger))
	if err != nil {
		return fmt.Errorf("%w (PROOF_DATA_DIR chooses the directory, whose log is to be copied to the cluster)", err)
	}
	defer release()
	if err := to.Migrate(ctx, embeddedSource{reader}); err != nil {
		return fmt.Errorf("copy the event log in %s to the cluster: %w; start once without PROOF_NATS_URL if it is damaged, to repair it",
			cfg.DataDir, err)
	}
	return nil
}

// embeddedSource is an embedded log as a cluster's copies it.
type embeddedSource struct{ *sqlitelog.Reader }

// Events yields every kept event of a site, oldest first.
func (s embeddedSource) Events(ctx context.Context, site string) iter.Seq2[natslog.SourceEvent, error] {
	return func(yield func(natslog.SourceEvent, error) bool) {
		for r, err := range s.Reader.Events(ctx, site) {
			if !yield(natslog.SourceEvent{Event: r.Event, KeyHash: r.KeyHash}, err) {
				return
			}
		}
	}
}

// Keys yields every remembered key of a site, also of erased events.
func (s embeddedSource) Keys(ctx context.Context, site string) iter.Seq2[natslog.SourceKey, error] {
	return func(yield func(natslog.SourceKey, error) bool) {
		for k, err := range s.Reader.Keys(ctx, site) {
			if !yield(natslog.SourceKey{Hash: k.Hash, Seq: k.Seq}, err) {
				return
			}
		}
	}
}
