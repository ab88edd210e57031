package main

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"
)

// A second instance beside the first starts without metrics and says so; an address that the
// operator chose and cannot have is an error.
func TestTakenMetricsAddress(t *testing.T) {
	var told bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&told, nil))
	taken, err := net.Listen("tcp", defaultMetricsAddr)
	if err == nil {
		defer taken.Close()
	} // else another program has it, which is as good
	if o, err := openOps(defaultMetricsAddr, logger); err != nil || o.l != nil {
		t.Errorf("the default address, taken, got %v, %v, want none and no error", o.l, err)
	}
	if !strings.Contains(told.String(), "PROOF_METRICS_ADDR") {
		t.Errorf("the log says %q, want what to do", told.String())
	}
	chosen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer chosen.Close()
	if _, err := openOps(chosen.Addr().String(), logger); err == nil || !strings.Contains(err.Error(), "PROOF_METRICS_ADDR") {
		t.Errorf("a chosen address, taken, got %v, want an error that says what to do", err)
	}
}
