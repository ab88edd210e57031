package natslog

import (
	"log/slog"

	"proofstream/stream"
)

// Options configure a Log. A zero field means its default. A server refuses other values that it does not allow, with an error of Open
// or of the first use of a site.
type Options struct {
	// URL is the address of the NATS cluster, or several with commas. Required.
	URL string
	// CredsFile holds the credentials for URL. Default none.
	CredsFile string
	// Stream is the prefix of the streams' names and the first token of their subjects. Default "proofstream".
	Stream string
	// Replicas is how many copies the cluster keeps of a stream that this log creates, 1 to 5. Default 1.
	Replicas int
	// Limits is the retention of a stream that this log creates. Default 1,000 events and 720 h.
	Limits stream.Limits
	// Sites are the sites whose streams Open checks, if they exist. Default none.
	Sites []string
	// Update lets Open change the settings of the existing streams of Sites. Without it they
	// stay, and a warning names the ones that differ: one node among several must not rewrite a
	// stream for all.
	Update bool
	// Logger gets the log lines for the operator. Default slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Stream == "" {
		o.Stream = "proofstream"
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	o.Limits = o.Limits.WithDefaults()
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}
