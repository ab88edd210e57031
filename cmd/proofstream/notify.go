package main

import (
	"fmt"
	"net"
	"strings"
)

// notify tells the service manager that started the process its state, such as READY=1: see sd_notify(3). The socket for that is in
// NOTIFY_SOCKET of environ; without it, notify does nothing.
func notify(environ []string, state string) error {
	for _, v := range environ {
		socket, ok := strings.CutPrefix(v, "NOTIFY_SOCKET=")
		if !ok || socket == "" {
			continue
		}
		conn, err := net.Dial("unixgram", socket) // with @ at its start: an abstract one
		if err == nil {
			_, err = conn.Write([]byte(state))
			conn.Close()
		}
		if err != nil {
			return fmt.Errorf("tell the service manager %s: %w (NOTIFY_SOCKET has the path of its socket)", state, err)
		}
		return nil
	}
	return nil
}

// tellManager notifies the service manager, and logs an error: the service runs on without it.
func (s *service) tellManager(state string) {
	if err := notify(s.environ, state); err != nil {
		s.logger.Warn("the service manager was not notified", "error", err)
	}
}
