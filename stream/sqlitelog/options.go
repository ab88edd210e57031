package sqlitelog

import (
	"log/slog"
	"time"

	"proofstream/stream"
)

// Options configure a Log. Only Dir is required. A zero field means its default.
type Options struct {
	// Dir is the directory of the log's files, created when it is missing. One process at a time holds it.
	Dir string
	// Sites are created by Open when they are new. Other sites are created at their first use. Default none.
	Sites []string
	// Limits is the retention. Default 1,000 events, each for 720 h: see stream.Limits.WithDefaults.
	Limits stream.Limits
	// Wait is how long Open waits for a directory that another process holds. Default 0: Open returns an error at once.
	Wait time.Duration
	// Logger gets the log lines for the operator. Default slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Limits = o.Limits.WithDefaults()
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}
