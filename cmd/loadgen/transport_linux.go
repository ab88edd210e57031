package main

import (
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// newTransport returns a transport for n connections to a target.
func newTransport(t *target, n int) (transport, error) {
	if t.tls != nil {
		return newNetTransport(t, n), nil
	}
	return newEpollTransport(t, n)
}

// epollTransport keeps non-blocking sockets in one epoll set.
type epollTransport struct {
	epoll      int
	to         unix.Sockaddr
	sources    []unix.Sockaddr
	fds        []int32  // by subscriber; -1: closed
	generation []int32  // by subscriber: changes with each socket, to detect stale epoll events
	unsent     [][]byte // by subscriber: request to send once the socket is connected
	failed     []failure
	events     []unix.EpollEvent
	buffer     []byte
}

// failure is an error found outside poll, for the next poll to report.
type failure struct {
	i   int
	err error
}

// readable is edge-triggered: a level-triggered epoll_wait would check every socket that it
// returned a second time.
const readable = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

func newEpollTransport(to *target, n int) (*epollTransport, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	t := &epollTransport{
		epoll: epoll, to: sockaddr(to.address.IP, to.address.Port),
		fds: make([]int32, n), generation: make([]int32, n), unsent: make([][]byte, n),
		events: make([]unix.EpollEvent, 512), buffer: make([]byte, 64<<10),
	}
	for _, ip := range to.sources() {
		t.sources = append(t.sources, sockaddr(ip, 0))
	}
	for i := range t.fds {
		t.fds[i] = -1
	}
	return t, nil
}

func sockaddr(ip net.IP, port int) unix.Sockaddr {
	if v4 := ip.To4(); v4 != nil {
		return &unix.SockaddrInet4{Port: port, Addr: [4]byte(v4)}
	}
	return &unix.SockaddrInet6{Port: port, Addr: [16]byte(ip.To16())}
}

func (t *epollTransport) open(i int, request []byte) {
	fd, err := t.connect(i)
	if err != nil {
		t.failed = append(t.failed, failure{i, err})
		return
	}
	t.fds[i] = int32(fd)
	t.generation[i]++
	// On loopback the handshake is complete when connect returns, so the request can be sent now.
	interest := uint32(readable)
	if _, err := unix.Write(fd, request); err == unix.EAGAIN || err == unix.ENOTCONN {
		t.unsent[i] = request
		interest |= unix.EPOLLOUT
	}
	t.watch(unix.EPOLL_CTL_ADD, i, interest)
}

// connect returns a socket for subscriber i that is connected or connecting.
func (t *epollTransport) connect(i int) (int, error) {
	family := unix.AF_INET
	if _, v6 := t.to.(*unix.SockaddrInet6); v6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if len(t.sources) > 0 {
		// Choose the port at connect, where it need be unique only per pair of addresses (ip(7)).
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd, t.sources[i%len(t.sources)]); err != nil {
			unix.Close(fd)
			return -1, err
		}
	}
	if err := unix.Connect(fd, t.to); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (t *epollTransport) watch(op, i int, interest uint32) {
	event := unix.EpollEvent{Events: interest, Fd: int32(i), Pad: t.generation[i]}
	if err := unix.EpollCtl(t.epoll, op, int(t.fds[i]), &event); err != nil {
		t.failed = append(t.failed, failure{i, err})
	}
}

func (t *epollTransport) close(i int) {
	if t.fds[i] < 0 {
		return
	}
	unix.Close(int(t.fds[i]))
	t.fds[i] = -1
	t.generation[i]++
	t.unsent[i] = nil
}

func (t *epollTransport) poll(d time.Duration, h handler) error {
	failed := t.failed
	t.failed = nil
	for _, f := range failed {
		t.close(f.i)
		h.ended(f.i, f.err)
	}
	n, err := unix.EpollWait(t.epoll, t.events, int(d.Milliseconds()))
	if err != nil && err != unix.EINTR {
		return err
	}
	for _, event := range t.events[:max(n, 0)] {
		if i := int(event.Fd); t.generation[i] == event.Pad {
			t.handle(i, event.Events, h)
		}
	}
	return nil
}

func (t *epollTransport) handle(i int, events uint32, h handler) {
	fd := int(t.fds[i])
	if t.unsent[i] != nil && events&unix.EPOLLOUT != 0 {
		if _, err := unix.Write(fd, t.unsent[i]); err == nil {
			t.unsent[i] = nil
			t.watch(unix.EPOLL_CTL_MOD, i, readable)
		}
	}
	if events&^unix.EPOLLOUT == 0 {
		return
	}
	closed := events&^(unix.EPOLLOUT|unix.EPOLLIN) != 0
	for generation := t.generation[i]; t.generation[i] == generation && t.read(i, closed, h); {
	}
}

// read reads once from subscriber i and reports whether the caller must read again: there is no
// further epoll event for the rest of what filled the buffer, or for a closed connection.
func (t *epollTransport) read(i int, closed bool, h handler) bool {
	n, err := unix.Read(int(t.fds[i]), t.buffer)
	switch {
	case n > 0:
		h.received(i, t.buffer[:n], clock())
		return n == len(t.buffer) || closed
	case err == unix.EINTR:
		return true
	case err == unix.EAGAIN:
		return false
	}
	if err == nil {
		err = io.EOF
	}
	t.close(i)
	h.ended(i, err)
	return false
}

func (t *epollTransport) closeAll() {
	for i := range t.fds {
		t.close(i)
	}
	unix.Close(t.epoll)
}
