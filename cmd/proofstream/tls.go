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
	"sync"
	"time"
)

// secure reports whether the service itself serves HTTPS.
func (c Config) secure() bool { return c.TLSCertFile != "" || len(c.ACMEHosts) > 0 }

// transport serves HTTP or HTTPS, as the configuration says.
type transport struct {
	tls   *tls.Config  // nil: plain HTTP
	plain http.Handler // handler of port 80 with ACME: challenges, and redirects to HTTPS; otherwise nil
}

// newTransport opens nothing. Certificate files are read at the first handshake.
func newTransport(cfg Config, logger *slog.Logger) transport {
	switch {
	case len(cfg.ACMEHosts) > 0:
		return newACME(cfg, logger)
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

// serve serves on l until server is shut down, and then returns nil.
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

const (
	// plainHeaderTimeout is the longest time that a client of port 80 may take to send the head of a request.
	plainHeaderTimeout = 8 * time.Second

	// plainTimeout is the longest time for a whole request on port 80, and for its response.
	plainTimeout = 10 * time.Second

	// plainHeaderBytes is the largest head of a request on port 80. The API has the same limit.
	plainHeaderBytes = 32 << 10
)

// servePlain serves ACME challenges and redirects until ctx ends, on port 80 of the host in addr. Without ACME it
// returns nil at once.
func (t transport) servePlain(ctx context.Context, addr string, logger *slog.Logger) error {
	if t.plain == nil {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	l, err := listen("PROOF_ADDR", net.JoinHostPort(host, "80"))
	var taken *addressTakenError
	if errors.As(err, &taken) {
		return fmt.Errorf("%s, which PROOF_ACME_HOSTS needs for challenges, is taken by another program: stop it, or unset PROOF_ACME_HOSTS "+
			"and let it serve HTTPS as a proxy in front", taken.addr)
	}
	if err != nil {
		return fmt.Errorf("listen for ACME challenges and redirects: %w", err)
	}
	server := &http.Server{
		Handler:           t.plain,
		ReadHeaderTimeout: plainHeaderTimeout,
		ReadTimeout:       plainTimeout,
		WriteTimeout:      plainTimeout,
		MaxHeaderBytes:    plainHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}

// certificateFiles is a certificate and its private key on disk. Files that have changed are read again at the next
// handshake. Open connections keep the certificate of their handshake.
type certificateFiles struct {
	cert, key string
	logger    *slog.Logger

	mu     sync.Mutex        // guards the fields below
	loaded *tls.Certificate  // nil: no valid pair was read yet
	tried  [sha256.Size]byte // hash of the content that was parsed last, valid or not
	looked time.Time         // time of the last read
}

// rereadInterval is the shortest time between two reads of the files. It bounds the cost of handshakes.
const rereadInterval = time.Second

// get returns the certificate for a handshake. It is a tls.Config.GetCertificate. If the files are invalid, for example
// because a renewal has written only one of the two, get logs a warning and returns the certificate that was valid last.
func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.loaded != nil && time.Since(f.looked) < rereadInterval {
		return f.loaded, nil
	}
	f.looked = time.Now()
	if err := f.reload(); err != nil {
		if f.loaded == nil {
			return nil, err
		}
		f.logger.Warn("the certificate files have changed and cannot be used: the previous certificate stays in use", "error", err)
	}
	return f.loaded, nil
}

// reload parses the files if their content has changed since the last call. It compares content, because two versions
// of a file can have the same modification time. Callers hold f.mu.
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
