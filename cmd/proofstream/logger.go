package main

import (
	"io"
	"log/slog"
	"strings"
)

// newLogger returns a logger that writes to w with the configured level and format. In JSON, durations are numbers in
// seconds, as in metrics; slog alone writes nanoseconds.
func newLogger(cfg Config, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat != "json" {
		return slog.New(slog.NewTextHandler(w, o))
	}
	o.ReplaceAttr = func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration {
			a.Value = slog.Float64Value(a.Value.Duration().Seconds())
		}
		return a
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// logsJSON reports whether an environment, which may be invalid otherwise, asks for a log in JSON.
func logsJSON(environ []string) (asked bool) {
	for _, entry := range environ {
		if value, found := strings.CutPrefix(entry, "PROOF_LOG_FORMAT="); found {
			value, _ = cutQuotes(strings.TrimSpace(value))
			asked = value == "json"
		}
	}
	return asked
}
