package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"

	"proofstream/api/sse"
)

// listen opens the address that a variable names, or says what to do when it cannot.
func listen(variable, addr string) (net.Listener, error) {
	config := sse.ListenConfig()
	l, err := config.Listen(context.Background(), "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &takenError{addr, variable}
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("not allowed to listen on %s: set %s to a port above 1023, or grant CAP_NET_BIND_SERVICE", addr, variable)
	case err != nil:
		_, port, _ := net.SplitHostPort(addr)
		return nil, fmt.Errorf("%w: set %s to :%s or to an address of this machine", err, variable, port)
	}
	return l, nil
}

// takenError says that an address to listen on is another program's.
type takenError struct{ addr, variable string }

func (e *takenError) Error() string {
	return fmt.Sprintf("%s is taken by another program: end that one, or set %s to a free address", e.addr, e.variable)
}

func (e *takenError) Unwrap() error { return syscall.EADDRINUSE }

// announce tells that the service is up. With a key made up for this run it also gives a line to
// paste, and the address of a demo page that knows the key: the fragment of an address is never sent.
func announce(logger *slog.Logger, cfg Config, w io.Writer, addr net.Addr) {
	scheme := "http"
	if cfg.secure() {
		scheme = "https"
	}
	base := scheme + "://" + addr.String()
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		base = fmt.Sprintf("%s://localhost:%d", scheme, tcp.Port)
	}
	logger.Info("serving", "url", base, "max_subscribers", cfg.MaxSubscribers, "retain", cfg.Retain)
	if key := cfg.GeneratedKey; key != "" {
		fmt.Fprintf(w, `
No API key is configured, so this one holds until the service stops: %s

See the card on the demo page:
  %s/#key=%s

Post a signup:
  curl -d api_key=%s -d user_name=Ada -d offer_name="Spring Sale" -d img_path= %s/signup

`, key, base, key, key, base)
	}
}
