package sqlitelog

import (
	"log/slog"
	"time"

	"proofstream/stream"
)

// Options configure a Log. Only Dir is required.
type Options struct {
	// Dir is the directory of the log's files, created when it is missing. One process at a time holds it.
	Dir string
	// Sites are created by Open when they are new. Others are created when they are first used.
	Sites []string
	// Limits is what is kept of each site; default 1,000 events, each for 720 h.
	Limits stream.Limits
	// Wait is how long Open waits for a directory that another process holds; default 0.
	Wait time.Duration
	// Logger gets what an operator should know; default slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Limits.Events <= 0 {
		o.Limits.Events = 1000
	}
	if o.Limits.Age <= 0 {
		o.Limits.Age = 720 * time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}
