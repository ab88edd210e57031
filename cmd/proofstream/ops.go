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

// ops serves metrics and profiles, on an address of its own.
type ops struct {
	l net.Listener // nil for none
}

// defaultMetricsAddr is where metrics are served unless PROOF_METRICS_ADDR says otherwise.
const defaultMetricsAddr = "localhost:9609"

// openOps listens on PROOF_METRICS_ADDR; empty is nowhere. That the default address is taken, as by
// a second instance on the same machine, is told but no reason not to start: nobody asked for it.
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

// close is for an address that is not served after all.
func (o ops) close() {
	if o.l != nil {
		o.l.Close()
	}
}

// serve answers operators until ctx ends: as long as anything else runs, so that a drain can be watched.
func (o ops) serve(ctx context.Context, h http.Handler) error {
	if o.l == nil {
		return nil
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 8 * time.Second, IdleTimeout: 2 * time.Minute}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(o.l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return ctx.Err()
}
