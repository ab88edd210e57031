package main

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A second instance beside the first starts without metrics and says so. (An address that the operator chose and cannot
// have is an error: TestReasonsNotToStart.)
func TestTakenMetricsAddress(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	taken, err := net.Listen("tcp", defaultMetricsAddr)
	if err == nil {
		defer taken.Close()
	} // else another program has it, which is as good
	if o, err := openOps(defaultMetricsAddr, logger); err != nil || o.l != nil {
		t.Errorf("the default address, taken, got %v, %v, want none and no error", o.l, err)
	}
	if !strings.Contains(log.String(), "PROOF_METRICS_ADDR") {
		t.Errorf("the log says %q, want what to do", log.String())
	}
}

// The error for an address that this machine does not have says what to set instead.
func TestForeignAddress(t *testing.T) {
	_, err := listen("PROOF_ADDR", "192.0.2.77:7777") // RFC 5737: nobody's
	if err == nil || !strings.Contains(err.Error(), "set PROOF_ADDR to :7777 or to an address of this machine") {
		t.Errorf("got %v, want what to do", err)
	}
}

// Certificates by ACME need port 80 too; that it is taken is not PROOF_ADDR's fault.
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
