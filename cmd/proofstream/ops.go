package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// ops is the listener for operators: metrics and profiles.
type ops struct {
	l      net.Listener // nil: nothing is served
	logger *slog.Logger
}

// defaultMetricsAddr is the default of PROOF_METRICS_ADDR.
const defaultMetricsAddr = "localhost:9609"

const (
	// opsHeaderTimeout is the longest time that a client may take to send the head of a request.
	opsHeaderTimeout = 8 * time.Second

	// opsIdleTimeout is the longest time that a connection stays open between two requests. Prometheus scrapes once a
	// minute by default and then reuses its connection.
	opsIdleTimeout = 2 * time.Minute
)

// openOps listens on addr, the value of PROOF_METRICS_ADDR; when it is empty, nothing is served. If the default address cannot be
// listened on, whatever the reason, such as a second instance on the same machine or a machine without the name localhost, openOps logs
// a warning and the service runs without metrics, because nobody asked for that address. serving is the value of PROOF_ADDR.
func openOps(addr, serving string, logger *slog.Logger) (ops, error) {
	if addr == "" {
		return ops{}, nil
	}
	l, err := listen("PROOF_METRICS_ADDR", addr)
	if err != nil && sameAddress(addr, serving) {
		err = fmt.Errorf("%s is the address of the service itself: set PROOF_METRICS_ADDR to another", addr)
	}
	if err != nil && addr == defaultMetricsAddr {
		logger.Warn("metrics are not served: their default address cannot be had", "error", fmt.Sprint(err, ", or to off"))
		return ops{}, nil
	}
	if err != nil {
		return ops{}, fmt.Errorf("%w, or to off", err)
	}
	return ops{l, logger}, nil
}

// serve serves h until ctx ends. It runs until everything else has ended, so that metrics show a drain.
func (o ops) serve(ctx context.Context, h http.Handler) error {
	if o.l == nil {
		return nil
	}
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: opsHeaderTimeout,
		IdleTimeout:       opsIdleTimeout,
		ErrorLog:          slog.NewLogLogger(o.logger.Handler(), slog.LevelDebug),
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(o.l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return ctx.Err()
}
