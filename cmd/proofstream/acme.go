package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// newACME returns the transport that serves HTTPS with certificates obtained by ACME (RFC 8555). They are kept in the data directory, see
// acmeDir.
func newACME(cfg Config, logger *slog.Logger) transport {
	failures := &acmeFailures{hosts: cfg.ACMEHosts, logger: logger}
	m := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(acmeDir(cfg)),
		HostPolicy: autocert.HostWhitelist(cfg.ACMEHosts...),
		Email:      cfg.ACMEEmail,
		Client:     &acme.Client{DirectoryURL: cfg.ACMEDirectory, HTTPClient: &http.Client{Transport: &failures.authority}},
	}
	t := m.TLSConfig()
	t.MinVersion = tls.VersionTLS12
	get := t.GetCertificate
	t.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		certificate, err := get(hello)
		if !slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) { // that is the authority's challenge
			failures.note(hello.ServerName, certificate, err)
		}
		return certificate, err
	}
	return transport{tls: t, plain: m.HTTPHandler(nil)}
}

// acmeDir returns the directory of the certificates and the account: acme in the data directory for Let's Encrypt, and one below it for
// each other authority. So a certificate of a rehearsal is not served after the change to another authority.
func acmeDir(cfg Config) string {
	dir := filepath.Join(cfg.DataDir, "acme")
	if cfg.ACMEDirectory == acme.LetsEncryptURL {
		return dir
	}
	host := strings.TrimPrefix(cfg.ACMEDirectory, "https://")
	host, _, _ = strings.Cut(host, "/")
	readable := strings.NewReplacer(".", "_", ":", "_").Replace(host) // without a dot: it is no name of a certificate
	return filepath.Join(dir, fmt.Sprintf("%s-%.4x", readable, sha256.Sum256([]byte(cfg.ACMEDirectory))))
}

// acmeFailures logs why there is no certificate for a host, or no new one: one warning for each host and reason until the host has one again.
type acmeFailures struct {
	hosts     []string
	logger    *slog.Logger
	authority acmeAuthority

	mu     sync.Mutex                 // guards logged
	logged map[string]map[string]bool // reasons by host
}

// varying matches what differs between two errors with one reason: ports, serial numbers, tokens in addresses.
var varying = regexp.MustCompile(`[A-Za-z0-9_-]{16,}|[0-9]+`)

// note takes the result of one handshake. It ignores names that are no host of the service, since anybody can send one, and the error of
// a handshake during the minute that autocert waits after a failure, which says nothing.
func (f *acmeFailures) note(name string, certificate *tls.Certificate, err error) {
	host := strings.ToLower(strings.TrimSuffix(name, "."))
	if !slices.Contains(f.hosts, host) || err != nil && strings.HasSuffix(err.Error(), "missing certificate") {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	const advice = "port 80 or 443 of this host must reach this service, and this service its authority"
	switch {
	case err != nil:
		f.warn(host, "no certificate could be obtained: "+advice, slog.String("error", fmt.Sprintf("%.1000s", err))) // it may quote a whole page
	case overdue(certificate.Leaf):
		f.warn(host, "a certificate is not renewed: "+advice, slog.Time("valid_until", certificate.Leaf.NotAfter))
	default:
		delete(f.logged, host)
	}
}

// warn logs a message and what the authority said, unless the attribute has it, once for each reason. Callers hold f.mu.
func (f *acmeFailures) warn(host, message string, attr slog.Attr) {
	attrs := []any{"host", host, attr}
	if said := f.authority.reason(host); said != "" && !strings.Contains(attr.Value.String(), said) {
		attrs = append(attrs, "authority", said)
	}
	if f.isNew(host, varying.ReplaceAllString(message+fmt.Sprint(attrs...), "")) {
		f.logger.Warn(message, attrs...)
	}
}

// isNew remembers a reason, and reports whether it is the first time since the host had a certificate. Callers hold f.mu.
func (f *acmeFailures) isNew(host, reason string) bool {
	if f.logged[host][reason] {
		return false
	}
	if f.logged == nil {
		f.logged = map[string]map[string]bool{}
	}
	if f.logged[host] == nil {
		f.logged[host] = map[string]bool{}
	}
	f.logged[host][reason] = true
	return true
}

// overdue reports whether a certificate should have been renewed for some time. autocert renews in the last third of its life, in the
// last 30 days at most, tries about each hour, and reports no error as long as the certificate is valid.
func overdue(leaf *x509.Certificate) bool {
	return time.Until(leaf.NotAfter) < min(leaf.NotAfter.Sub(leaf.NotBefore)/4, 25*24*time.Hour)
}
