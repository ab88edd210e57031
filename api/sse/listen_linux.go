package sse

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// vanishedAfter is how long sent bytes may stay unacknowledged before the kernel ends a connection (TCP_USER_TIMEOUT, see
// tcp(7)). With a heartbeat every 15 s, a subscriber whose network is gone is freed within a minute.
const vanishedAfter = 30 * time.Second

// ListenConfig returns the configuration for the listeners of a Server. The options of its connections are set on the
// listening socket, from which they inherit them (tcp(7)): that saves seven system calls for each of thousands of clients
// that connect at once. Keep-alive probes are as Go sets them (every 15 s, 9 times). Multipath TCP is off, since its
// connections need not inherit options.
func ListenConfig() net.ListenConfig {
	c := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			for _, o := range [][3]int{
				{unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer},
				{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
				{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
				{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
				{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 9},
				{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(vanishedAfter.Milliseconds())},
			} {
				_ = unix.SetsockoptInt(int(fd), o[0], o[1], o[2]) // an option that a kernel lacks is no reason not to serve
			}
		})
	}}
	c.SetMultipathTCP(false)
	return c
}

// prepare does nothing: a connection inherits its options, see ListenConfig.
func prepare(*net.TCPConn) {}
