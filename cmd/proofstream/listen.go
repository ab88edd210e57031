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

// listen listens on addr, the value of an environment variable. The error says how to change the variable; it is an
// *addressTakenError when another program has the address.
func listen(variable, addr string) (net.Listener, error) {
	config := sse.ListenConfig()
	l, err := config.Listen(context.Background(), "tcp", addr)
	switch {
	case addressInUse(err):
		return nil, &addressTakenError{addr, variable}
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("not allowed to listen on %s: set %s to a port above 1023, or grant CAP_NET_BIND_SERVICE", addr, variable)
	case err != nil:
		host, port, _ := net.SplitHostPort(addr)
		if host == "localhost" { // whose port is not for every interface
			return nil, fmt.Errorf("%w: set %s to 127.0.0.1:%s or [::1]:%[3]s, whichever this machine has", err, variable, port)
		}
		return nil, fmt.Errorf("%w: set %s to :%s or to an address of this machine", err, variable, port)
	}
	return l, nil
}

// addressTakenError is the error of listen when another program listens on the address.
type addressTakenError struct{ addr, variable string }

func (e *addressTakenError) Error() string {
	return fmt.Sprintf("%s is taken by another program: stop it, or set %s to a free address", e.addr, e.variable)
}

func (e *addressTakenError) Unwrap() error { return syscall.EADDRINUSE }

// announce logs that the service is up. With a generated key it also prints to w a curl command to paste and the
// address of the demo page with the key. The key is in the fragment of that address, which browsers do not send.
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
	switch key := cfg.GeneratedKey; {
	case key == "":
	case cfg.LogFormat == "json": // at every level, as the text
		newLogger(Config{LogFormat: "json"}, w).Info("no API key is configured: this one is valid until the service stops",
			"key", key, "demo", base+"/#key="+key, "curl", "curl -d api_key="+key+" -d user_name=Ada "+base+"/signup")
	default:
		fmt.Fprintf(w, `
No API key is configured, so this one is valid until the service stops: %s

See the card on the demo page:
  %s/#key=%s

Post a signup:
  curl -d api_key=%s -d user_name=Ada -d offer_name="Spring Sale" -d img_path= %s/signup

`, key, base, key, key, base)
	}
}
