package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

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
	challenge := &tls.ClientHelloInfo{ServerName: "www.example.com", SupportedProtos: []string{acme.ALPNProto}} // anybody can send that too
	if _, err := link.tls.GetCertificate(challenge); err == nil {
		t.Error("a challenge that is not under way got a certificate")
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 2 || !strings.Contains(log.String(), "host=proof.example.com") || !strings.Contains(log.String(), "refused") {
		t.Errorf("got %d warnings, want one for each of two hosts with the reason:\n%s", n, &log)
	}
	if strings.Contains(log.String(), "authority=") {
		t.Errorf("the reason is there twice:\n%s", &log)
	}
}

func TestEachReasonOfAMissingCertificateIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	f := &acmeFailures{hosts: []string{"a.example"}, logger: slog.New(slog.NewTextHandler(&log, nil))}
	for i := range 3 {
		f.note("A.example.", nil, fmt.Errorf("dial tcp 127.0.0.1:%d: refused", 40000+i))
		f.note("a.example", nil, fmt.Errorf("403 urn:ietf:params:acme:error:unauthorized: https://ca.example/authz/h5fG7dKq2LmN8pRs%d", i))
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 2 {
		t.Errorf("got %d warnings for two reasons:\n%s", n, &log)
	}
	f.note("a.example", certificateFor(90*24*time.Hour, 60*24*time.Hour), nil)
	f.note("a.example", nil, errors.New("dial tcp 127.0.0.1:1: refused"))
	if n := strings.Count(log.String(), "level=WARN"); n != 3 {
		t.Errorf("got %d warnings, want a third one for a failure after a success:\n%s", n, &log)
	}
	log.Reset()
	f.note("a.example", nil, errors.New("502 : "+strings.Repeat("<p>", 10000)))
	if n := log.Len(); n == 0 || n > 1500 {
		t.Errorf("a page as the reason makes %d bytes of log, want the start of it", n)
	}
}

// certificateFor returns a certificate with a lifetime, of which so much is left.
func certificateFor(lifetime, left time.Duration) *tls.Certificate {
	end := time.Now().Add(left)
	return &tls.Certificate{Leaf: &x509.Certificate{NotBefore: end.Add(-lifetime), NotAfter: end}}
}

// A certificate that is served although its renewal has failed for days is one warning.
func TestCertificateThatIsNotRenewedIsOneWarning(t *testing.T) {
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		lifetime, left time.Duration
		want           int
	}{
		"90 days, before the renewal":  {90 * day, 31 * day, 0},
		"90 days, a day of failures":   {90 * day, 29 * day, 0},
		"90 days, nine of failures":    {90 * day, 21 * day, 1},
		"6 days, before the renewal":   {6 * day, 49 * time.Hour, 0},
		"6 days, a day of failures":    {6 * day, 24 * time.Hour, 1},
		"a year, before the renewal":   {365 * day, 31 * day, 0},
		"a year, six days of failures": {365 * day, 24 * day, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			f := &acmeFailures{hosts: []string{"a.example"}, logger: slog.New(slog.NewTextHandler(&log, nil))}
			for range 3 {
				f.note("a.example", certificateFor(tt.lifetime, tt.left), nil)
			}
			if got := strings.Count(log.String(), "is not renewed"); got != tt.want {
				t.Errorf("got %d warnings, want %d:\n%s", got, tt.want, &log)
			}
		})
	}
}

// Certificates and accounts of different authorities are kept apart, so none of a rehearsal is served afterwards. No directory can be taken for the
// certificate of a host.
func TestCertificatesOfAuthoritiesAreKeptApart(t *testing.T) {
	dirs := map[string]string{}
	for _, directory := range []string{"", "https://acme-staging-v02.api.letsencrypt.org/directory", "https://localhost:14000/dir",
		"https://localhost:14000/other"} {
		cfg := configOf(t, "PROOF_ACME_HOSTS=proof.example.com", "PROOF_DATA_DIR=data", "PROOF_ACME_DIRECTORY="+directory)
		dir := acmeDir(cfg)
		if other, taken := dirs[dir]; taken {
			t.Errorf("%s is for %q and for %q", dir, other, directory)
		}
		dirs[dir] = directory
		if directory == "" && dir != filepath.Join("data", "acme") || directory != "" && strings.ContainsAny(filepath.Base(dir), ".:") {
			t.Errorf("%q: got %s", directory, dir)
		}
	}
}

func TestCertificatesOfAClusterAreAWarning(t *testing.T) {
	c := configOf(t, "PROOF_ACME_HOSTS=proof.example.com", "PROOF_NATS_URL=nats://a:4222", "PROOF_API_KEYS="+keyA)
	if len(c.Warnings) != 1 || c.Warnings[0].Variable != "PROOF_ACME_HOSTS" || !strings.Contains(c.Warnings[0].Text, "one node only") {
		t.Errorf("got %q, want one warning", c.Warnings)
	}
}
