package natslog

import (
	"log/slog"
	"time"
)

// Options configure a log. The zero value of a field means its default.
type Options struct {
	// Dir holds the files of an embedded log. Required unless URL is set. One process at a time.
	Dir string
	// Fsync is what a power cut may cost an embedded log: 0 means nothing (an event is on disk before
	// it is acknowledged), a duration how long it may take until it is. A killed process costs
	// nothing either way.
	Fsync time.Duration
	// Retain is how many signups are kept for each site, and beside them as many retractions.
	// Default 1,000.
	Retain int
	// Retention is how long an event is kept. Default 720 h.
	Retention time.Duration
	// Logger is told what an operator needs to know. Default slog.Default().
	Logger *slog.Logger

	// URL is the NATS cluster to use instead of an embedded log: one address or several with commas.
	URL string
	// CredsFile holds the credentials for URL. Default none.
	CredsFile string
	// Stream is the stream's name and the first token of its subjects. Default "proofstream".
	Stream string
	// Replicas is how many copies a cluster keeps of a stream created by Open. Default 1.
	Replicas int
	// Update lets Open change the settings of a stream that exists in a cluster. Without it they
	// stay, and a warning names the ones that differ: one node among several must not rewrite the
	// stream for all.
	Update bool
}

func (o Options) withDefaults() Options {
	if o.Retain == 0 {
		o.Retain = 1000
	}
	if o.Retention == 0 {
		o.Retention = 720 * time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Stream == "" {
		o.Stream = "proofstream"
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	return o
}

func (o Options) embedded() bool { return o.URL == "" }

// window is how long the key of a draft is remembered.
func (o Options) window() time.Duration { return min(time.Hour, o.Retention) }
