package main

import (
	"crypto/tls"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// newACME returns the transport that serves HTTPS with certificates obtained by ACME (RFC 8555). They are kept in the data directory.
func newACME(cfg Config, logger *slog.Logger) transport {
	m := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(filepath.Join(cfg.DataDir, "acme")),
		HostPolicy: autocert.HostWhitelist(cfg.ACMEHosts...),
		Email:      cfg.ACMEEmail,
		Client:     &acme.Client{DirectoryURL: cfg.ACMEDirectory},
	}
	t := m.TLSConfig()
	t.MinVersion = tls.VersionTLS12
	failures := &acmeFailures{hosts: cfg.ACMEHosts, logger: logger}
	get := t.GetCertificate
	t.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		certificate, err := get(hello)
		failures.note(hello.ServerName, err)
		return certificate, err
	}
	return transport{tls: t, plain: m.HTTPHandler(nil)}
}

// acmeFailures logs why there is no certificate for a host: one warning for each host and reason until the host has one again.
type acmeFailures struct {
	hosts  []string
	logger *slog.Logger

	mu     sync.Mutex                 // guards logged
	logged map[string]map[string]bool // reasons by host
}

// varying matches what differs between two errors with one reason: ports, serial numbers, tokens in addresses.
var varying = regexp.MustCompile(`[A-Za-z0-9_-]{16,}|[0-9]+`)

// note takes the result of one handshake. It ignores names that are no host of the service, since anybody can send one, and the error of
// a handshake during the minute that autocert waits after a failure, which says nothing.
func (f *acmeFailures) note(name string, err error) {
	host := strings.ToLower(strings.TrimSuffix(name, "."))
	if !slices.Contains(f.hosts, host) || err != nil && strings.HasSuffix(err.Error(), "missing certificate") {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		delete(f.logged, host)
		return
	}
	reason := varying.ReplaceAllString(err.Error(), "")
	if f.logged[host][reason] {
		return
	}
	if f.logged == nil {
		f.logged = map[string]map[string]bool{}
	}
	if f.logged[host] == nil {
		f.logged[host] = map[string]bool{}
	}
	f.logged[host][reason] = true
	f.logger.Warn("no certificate could be obtained: port 80 or 443 of this host must reach this service, and this service its authority",
		"host", host, "error", err)
}
