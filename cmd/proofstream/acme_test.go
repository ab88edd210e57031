package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// An authority that cannot be reached is one warning for each host, and none for names that anybody can send.
func TestAnAuthorityOutOfReachIsOneWarning(t *testing.T) {
	var log bytes.Buffer
	cfg := configOf(t, "PROOF_ACME_HOSTS=proof.example.com,www.example.com", "PROOF_DATA_DIR="+t.TempDir(),
		"PROOF_ACME_DIRECTORY=https://"+e2e.FreeAddress(t)+"/directory")
	link := newTransport(cfg, slog.New(slog.NewTextHandler(&log, nil)))
	for _, name := range []string{"proof.example.com", "proof.example.com", "www.example.com", "evil.example", ""} {
		hello := &tls.ClientHelloInfo{ServerName: name, CipherSuites: []uint16{tls.TLS_AES_128_GCM_SHA256}}
		if _, err := link.tls.GetCertificate(hello); err == nil {
			t.Errorf("%q got a certificate", name)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 2 || !strings.Contains(log.String(), "host=proof.example.com") || !strings.Contains(log.String(), "refused") {
		t.Errorf("got %d warnings, want one for each of two hosts with the reason:\n%s", n, &log)
	}
}

func TestEachReasonOfAMissingCertificateIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	f := &acmeFailures{hosts: []string{"a.example"}, logger: slog.New(slog.NewTextHandler(&log, nil))}
	for i := range 3 {
		f.note("A.example.", fmt.Errorf("dial tcp 127.0.0.1:%d: refused", 40000+i))
		f.note("a.example", fmt.Errorf("403 urn:ietf:params:acme:error:unauthorized: https://ca.example/authz/h5fG7dKq2LmN8pRs%d", i))
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 2 {
		t.Errorf("got %d warnings for two reasons:\n%s", n, &log)
	}
	f.note("a.example", nil)
	f.note("a.example", errors.New("dial tcp 127.0.0.1:1: refused"))
	if n := strings.Count(log.String(), "level=WARN"); n != 3 {
		t.Errorf("got %d warnings, want a third one for a failure after a success:\n%s", n, &log)
	}
}

func TestCertificatesOfAClusterAreAWarning(t *testing.T) {
	c := configOf(t, "PROOF_ACME_HOSTS=proof.example.com", "PROOF_NATS_URL=nats://a:4222", "PROOF_API_KEYS="+keyA)
	if len(c.Warnings) != 1 || c.Warnings[0].Variable != "PROOF_ACME_HOSTS" || !strings.Contains(c.Warnings[0].Text, "one node only") {
		t.Errorf("got %q, want one warning", c.Warnings)
	}
}
