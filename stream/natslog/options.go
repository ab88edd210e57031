package natslog

import (
	"log/slog"
	"time"

	"proofstream/stream"
)

// Options configure a log. The zero value of a field means its default.
type Options struct {
	// URL is the address of the NATS cluster, or several with commas. Required.
	URL string
	// CredsFile holds the credentials for URL. Default none.
	CredsFile string
	// Stream is the prefix of the streams' names and the first token of their subjects. Default "proofstream".
	Stream string
	// Replicas is how many copies the cluster keeps of a stream that this log creates. Default 1.
	Replicas int
	// Limits is the retention of a stream that this log creates. Default 1,000 events and 720 h.
	Limits stream.Limits
	// Sites are the sites whose streams Open checks, if they exist. Default none.
	Sites []string
	// Update lets Open change the settings of the existing streams of Sites. Without it they
	// stay, and a warning names the ones that differ: one node among several must not rewrite a
	// stream for all.
	Update bool
	// Logger is told what an operator needs to know. Default slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Stream == "" {
		o.Stream = "proofstream"
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	if o.Limits.Events == 0 {
		o.Limits.Events = 1000
	}
	if o.Limits.Age == 0 {
		o.Limits.Age = 720 * time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}
