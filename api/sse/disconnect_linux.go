package sse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"proofstream/stream/registry"
)

// disconnects notices that the other side of a connection taken over has closed: with one epoll set for all connections
// instead of a reading goroutine for each. A plain TCP connection is taken out of package net and the runtime's poller, where it
// would cost 800 bytes; its stream writes to the descriptor, and waits here when the kernel's buffer is full.
type disconnects struct {
	epoll *os.File // in Go's own poller, which parks run until a client disconnects

	mu      sync.Mutex              // guards the fields below
	fd      int                     // of epoll; -1 once that is closed
	streams []*hijacked             // by descriptor; nil where none is watched
	gen     int32                   // of the newest entry
	full    map[int32]chan struct{} // by descriptor: closed when a connection whose buffer was full takes bytes again, or is closed
}

// watched is a connection's entry in the set.
type watched struct {
	fd  int32
	gen int32 // differs from that of earlier connections with the same descriptor
}

func newDisconnects() (*disconnects, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, fmt.Errorf("open an epoll set: %w", err)
	}
	return &disconnects{fd: fd, epoll: os.NewFile(uintptr(fd), "epoll"), full: map[int32]chan struct{}{}}, nil
}

// close closes the set. No connection is watched afterwards.
func (d *disconnects) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fd = -1
	return d.epoll.Close()
}

// watch adds a connection, whose subscription must be set, to the epoll set. It takes over the descriptor of one that is plain TCP, and
// closes its conn. Only TCP connections, also below TLS, are watched.
func (d *disconnects) watch(c *hijacked) {
	tcp := tcpOf(c.conn)
	if tcp == nil {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // fails only on a closed connection, which the first write shows
		if c.conn == net.Conn(tcp) {
			own, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
			if err == nil {
				fd, c.conn = uintptr(own), nil
			}
		}
		d.add(c, int(fd))
	})
	if c.conn == nil {
		tcp.Close() // its other descriptor
	}
}

func (d *disconnects) add(c *hijacked, fd int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gen++
	c.watched = watched{int32(fd), d.gen}
	if fd >= len(d.streams) {
		d.streams = append(d.streams, make([]*hijacked, fd+1024-len(d.streams))...)
	}
	d.streams[fd] = c
	_ = unix.EpollCtl(d.fd, unix.EPOLL_CTL_ADD, fd, c.watched.event(0))
}

// event returns what the set is to report of a connection, once: that its client disconnects, and more.
func (w watched) event(more uint32) *unix.EpollEvent {
	return &unix.EpollEvent{Events: unix.EPOLLRDHUP | unix.EPOLLONESHOT | more, Fd: w.fd, Pad: w.gen}
}

// awaitRoom waits until the kernel takes bytes of a connection whose buffer was full, until it is closed, or for longest.
func (d *disconnects) awaitRoom(c *hijacked, longest time.Duration) {
	room := make(chan struct{})
	d.rearm(c, unix.EPOLLOUT, room)
	select {
	case <-room:
	case <-time.After(longest):
	}
	d.rearm(c, 0, nil)
}

// rearm changes what is reported of a connection, unless its client has disconnected, and which channel is closed then.
func (d *disconnects) rearm(c *hijacked, more uint32, room chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fd := c.watched.fd
	delete(d.full, fd)
	switch {
	case d.streams[fd] == c:
		if room != nil {
			d.full[fd] = room
		}
		_ = unix.EpollCtl(d.fd, unix.EPOLL_CTL_MOD, int(fd), c.watched.event(more))
	case room != nil:
		close(room)
	}
}

// forget ends watch. Call it before the connection is closed: the descriptor may then be another connection's. The kernel
// removes a closed descriptor from the set.
func (d *disconnects) forget(c *hijacked) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if fd := int(c.watched.fd); fd < len(d.streams) && d.streams[fd] == c { // otherwise it was not watched, or has disconnected
		d.streams[fd] = nil
	}
}

// run ends each stream whose client disconnects, until ctx ends.
func (d *disconnects) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { d.epoll.SetReadDeadline(time.Now()) })
	defer stop()
	raw, err := d.epoll.SyscallConn()
	if err != nil {
		return fmt.Errorf("watch for disconnects: %w", err)
	}
	events := make([]unix.EpollEvent, 256)
	for ctx.Err() == nil {
		n := 0
		var waited error
		err := raw.Read(func(fd uintptr) bool {
			n, waited = unix.EpollWait(int(fd), events, 0)
			return n > 0 || waited != nil && waited != unix.EINTR
		})
		if err := errors.Join(err, waited); err != nil && ctx.Err() == nil {
			return fmt.Errorf("watch for disconnects: %w", err)
		}
		for _, ev := range events[:max(n, 0)] {
			d.happened(ev)
		}
	}
	return ctx.Err()
}

// happened handles an event, unless its descriptor is another connection's by now: the client has disconnected, or the kernel takes bytes.
func (d *disconnects) happened(ev unix.EpollEvent) {
	d.mu.Lock()
	c := d.streams[ev.Fd]
	if c == nil || c.watched.gen != ev.Pad {
		d.mu.Unlock()
		return
	}
	room := d.full[ev.Fd]
	if room != nil {
		close(room)
		delete(d.full, ev.Fd)
	}
	if ev.Events&^unix.EPOLLOUT == 0 {
		d.mu.Unlock()
		return
	}
	d.streams[ev.Fd] = nil
	if room != nil && ev.Events&unix.EPOLLERR != 0 { // the write that waited gets the error, which the kernel returns once
		d.mu.Unlock()
		return
	}
	reason := disconnectReason(ev)
	if room != nil || c.conn != nil { // ends a write that waits, and TLS's close_notify, which could for seconds
		_ = unix.Shutdown(int(ev.Fd), unix.SHUT_RDWR)
	}
	d.mu.Unlock()
	if reason != "" {
		c.sub.End(reason)
	}
}

// disconnectReason returns why a client has disconnected; nothing when a write under way has taken the error, with which the stream ends.
// The descriptor of the event must be open: its stream is in the list, and forget waits for the lock.
func disconnectReason(ev unix.EpollEvent) registry.CloseReason {
	code, err := unix.GetsockoptInt(int(ev.Fd), unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err == nil && code != 0:
		return closeReasonOf(unix.Errno(code))
	case err == nil && ev.Events&unix.EPOLLERR != 0:
		return ""
	}
	return registry.Gone
}
