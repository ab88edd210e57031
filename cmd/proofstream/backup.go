package main

import (
	"context"

	"proofstream/stream/sqlitelog"
)

// backup writes a consistent copy of the embedded log to the file that the first argument names. The service may run
// meanwhile. An existing file is an error.
func backup(ctx context.Context, c invocation) error {
	cfg, err := readConfig(c.environ)
	if err != nil {
		return err
	}
	if cfg.NATSURL != "" {
		return &ConfigError{Problems: []string{
			"PROOF_NATS_URL: backup copies the embedded event log only; back a cluster up with: nats account backup",
		}}
	}
	reader, err := openEmbedded(cfg)
	if err != nil {
		return err
	}
	reader.Close()
	return sqlitelog.Backup(ctx, cfg.DataDir, c.args[0])
}
