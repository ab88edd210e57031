package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// ops is the listener for operators: metrics and profiles.
type ops struct {
	l net.Listener // nil: nothing is served
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

// openOps listens on addr, the value of PROOF_METRICS_ADDR; when it is empty, nothing is served. If another program
// has the default address, such as a second instance on the same machine, openOps logs a warning and the service runs
// without metrics, because nobody asked for that address.
func openOps(addr string, logger *slog.Logger) (ops, error) {
	if addr == "" {
		return ops{}, nil
	}
	l, err := listen("PROOF_METRICS_ADDR", addr)
	if addr == defaultMetricsAddr && errors.Is(err, syscall.EADDRINUSE) {
		logger.Warn("metrics are not served: another program has the address; set PROOF_METRICS_ADDR to a free one, or to off", "addr", addr)
		return ops{}, nil
	}
	if err != nil {
		return ops{}, fmt.Errorf("%w, or to off", err)
	}
	return ops{l}, nil
}

// close closes the listener. Call it only if serve will not run.
func (o ops) close() {
	if o.l != nil {
		o.l.Close()
	}
}

// serve serves h until ctx ends. It runs until everything else has ended, so that metrics show a drain.
func (o ops) serve(ctx context.Context, h http.Handler) error {
	if o.l == nil {
		return nil
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: opsHeaderTimeout, IdleTimeout: opsIdleTimeout}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(o.l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return ctx.Err()
}
