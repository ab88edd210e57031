package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/acme/autocert"
)

// secure tells whether the service speaks HTTPS by itself.
func (c Config) secure() bool { return c.TLSCertFile != "" || len(c.ACMEHosts) > 0 }

// transport is how connections are secured.
type transport struct {
	tls   *tls.Config  // nil for plain HTTP
	plain http.Handler // with ACME: challenges, and redirects to HTTPS; else nil
}

func newTransport(cfg Config, logger *slog.Logger) transport {
	switch {
	case len(cfg.ACMEHosts) > 0:
		m := &autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			Cache:      autocert.DirCache(filepath.Join(cfg.DataDir, "acme")),
			HostPolicy: autocert.HostWhitelist(cfg.ACMEHosts...),
		}
		t := m.TLSConfig()
		t.MinVersion = tls.VersionTLS12
		return transport{tls: t, plain: m.HTTPHandler(nil)}
	case cfg.TLSCertFile != "":
		files := &certificateFiles{cert: cfg.TLSCertFile, key: cfg.TLSKeyFile, logger: logger}
		return transport{tls: &tls.Config{
			MinVersion:     tls.VersionTLS12,
			NextProtos:     []string{"h2", "http/1.1"},
			GetCertificate: files.get,
		}}
	}
	return transport{}
}

// serve answers on l until the server is shut down; then it returns nil.
func (t transport) serve(server *http.Server, l net.Listener) error {
	serve := server.Serve
	if t.tls != nil {
		server.TLSConfig = t.tls
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// servePlain answers on port 80 of the host in addr, where certificates are obtained by ACME, until
// ctx ends.
func (t transport) servePlain(ctx context.Context, addr string, logger *slog.Logger) error {
	if t.plain == nil {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	l, err := listen("PROOF_ADDR", net.JoinHostPort(host, "80"))
	var taken *takenError
	if errors.As(err, &taken) {
		return fmt.Errorf("%s, where PROOF_ACME_HOSTS needs to answer, is taken by another program: end that one, or unset PROOF_ACME_HOSTS "+
			"and let that one serve HTTPS in front", taken.addr)
	}
	if err != nil {
		return fmt.Errorf("for certificates and redirects: %w", err)
	}
	server := &http.Server{
		Handler:           t.plain,
		ReadHeaderTimeout: 8 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}

// certificateFiles are a certificate and its key on disk. They are read again when they have
// changed: connections that are open keep what they began with, and go on.
type certificateFiles struct {
	cert, key string
	logger    *slog.Logger

	mu     sync.Mutex // guards all below
	loaded *tls.Certificate
	tried  [sha256.Size]byte // the content that was tried last
	looked time.Time         // when that was
}

// lookAgain is the shortest time between two looks at the files.
const lookAgain = time.Second

// get returns the certificate for a handshake. While new files cannot be used (one of the two is
// not written yet, say) it is the one before.
func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.loaded != nil && time.Since(f.looked) < lookAgain {
		return f.loaded, nil
	}
	f.looked = time.Now()
	if err := f.reload(); err != nil {
		if f.loaded == nil {
			return nil, err
		}
		f.logger.Warn("the certificate's files have changed and cannot be used: the one before stays", "error", err)
	}
	return f.loaded, nil
}

// reload loads files that are not those of the last try; their times do not count, for two files
// can be written in one tick of the clock. Callers hold f.mu.
func (f *certificateFiles) reload() error {
	cert, err := os.ReadFile(f.cert)
	key, keyErr := os.ReadFile(f.key)
	content := sha256.Sum256(fmt.Append(nil, len(cert), err, keyErr, string(cert), string(key)))
	if content == f.tried {
		return nil
	}
	f.tried = content
	if err := errors.Join(err, keyErr); err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return err
	}
	if f.loaded != nil {
		f.logger.Info("certificate reloaded", "valid_until", pair.Leaf.NotAfter)
	}
	f.loaded = &pair
	return nil
}
