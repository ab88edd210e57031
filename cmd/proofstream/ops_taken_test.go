package main

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// When the default metrics address is taken, the service starts without metrics and logs a warning. A configured address that is taken is
// an error: see TestReasonsNotToStart.
func TestTakenMetricsAddress(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	taken, err := net.Listen("tcp", defaultMetricsAddr)
	if err == nil {
		defer taken.Close()
	} // otherwise another program listens there, which is the same case
	if o, err := openOps(defaultMetricsAddr, ":6009", logger); err != nil || o.l != nil {
		t.Errorf("got listener %v, error %v, want neither", o.l, err)
	}
	if !strings.Contains(log.String(), "PROOF_METRICS_ADDR") {
		t.Errorf("the log says %q, want advice", log.String())
	}
}

// When the service itself has the default metrics address, the warning says that, and not that another program has it.
func TestDefaultMetricsAddressOfTheServiceItself(t *testing.T) {
	var log bytes.Buffer
	l, err := net.Listen("tcp", defaultMetricsAddr)
	if err == nil {
		defer l.Close()
	} // otherwise another program listens there, which is the same to openOps
	o, err := openOps(defaultMetricsAddr, ":9609", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil || o.l != nil {
		t.Errorf("got listener %v, error %v, want neither", o.l, err)
	}
	if got := log.String(); !strings.Contains(got, "is the address of the service itself: set PROOF_METRICS_ADDR to another, or to off") || strings.Contains(got, "another program") {
		t.Errorf("the log says %q", got)
	}
}

// The error for an address of another machine says what to set instead.
func TestForeignAddress(t *testing.T) {
	_, err := listen("PROOF_ADDR", "192.0.2.77:7777") // reserved for documentation: RFC 5737
	if err == nil || !strings.Contains(err.Error(), "set PROOF_ADDR to :7777 or to an address of this machine") {
		t.Errorf("got %v, want advice", err)
	}
}

// When port 80 is taken, which ACME needs, the error names PROOF_ACME_HOSTS and not PROOF_ADDR.
func TestTakenPlainPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.80:80")
	if err != nil {
		t.Skipf("port 80 cannot be had here: %v", err)
	}
	defer taken.Close()
	err = transport{plain: http.NotFoundHandler()}.servePlain(t.Context(), "127.0.0.80:443", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "PROOF_ACME_HOSTS") || strings.Contains(err.Error(), "PROOF_ADDR") {
		t.Errorf("got %v, want advice about PROOF_ACME_HOSTS alone", err)
	}
}
