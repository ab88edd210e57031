package sse

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// vanishedAfter is how long sent bytes may stay unacknowledged before the kernel gives a
// connection up (TCP_USER_TIMEOUT): with a heartbeat on the way every 15 s, a subscriber whose
// network is gone is freed within a minute.
const vanishedAfter = 30 * time.Second

// ListenConfig opens what a Server is to be served on. What every connection wants of its socket is
// set on the listening one and inherited (tcp(7)): seven system calls fewer for each of thousands who
// come at once. Go's own keep-alive probes (15 s, 9 times) are among them. Multipath TCP, which Go
// would listen for, need not hand them on.
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
				_ = unix.SetsockoptInt(int(fd), o[0], o[1], o[2]) // a kernel that will not is no reason not to serve
			}
		})
	}}
	c.SetMultipathTCP(false)
	return c
}

// prepare does nothing: see ListenConfig.
func prepare(*net.TCPConn) {}
