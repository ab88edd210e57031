package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"proofstream/stream/natslog"
	"proofstream/stream/sqlitelog"
)

// migrate copies the embedded log in the data directory to the cluster: each site that has no stream there. Without an
// embedded log it does nothing. It first waits for a process that still has the directory locked, at most
// PROOF_SHUTDOWN_GRACE. The embedded log is not changed.
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
	if err := to.Migrate(ctx, reader); err != nil {
		return fmt.Errorf("copy the event log in %s to the cluster: %w; start once without PROOF_NATS_URL if it is damaged, to repair it",
			cfg.DataDir, err)
	}
	return nil
}
