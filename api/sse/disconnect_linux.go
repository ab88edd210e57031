package sse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"proofstream/stream/registry"
)

// disconnects notices that the other side of a connection taken over has closed: with one epoll set for all connections
// instead of a reading goroutine for each.
type disconnects struct {
	epoll *os.File // in Go's own poller, which parks run until a client disconnects

	mu      sync.Mutex  // guards the fields below
	fd      int         // of epoll; -1 once that is closed
	streams []*hijacked // by descriptor; nil where none is watched
	gen     int32       // of the newest entry
}

// watched is a connection's entry in the set.
type watched struct {
	fd  int32
	gen int32 // differs from that of earlier connections with the same descriptor; 0 for one that is not watched
}

func newDisconnects() (*disconnects, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, fmt.Errorf("open an epoll set: %w", err)
	}
	return &disconnects{fd: fd, epoll: os.NewFile(uintptr(fd), "epoll")}, nil
}

// close closes the set. No connection is watched afterwards.
func (d *disconnects) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fd = -1
	return d.epoll.Close()
}

// watch adds a connection, whose subscription must be set, to the epoll set. Only TCP connections, also below TLS, are
// watched.
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
		d.mu.Lock()
		defer d.mu.Unlock()
		d.gen++
		c.watched = watched{fd: int32(fd), gen: d.gen}
		if int(fd) >= len(d.streams) {
			d.streams = append(d.streams, make([]*hijacked, int(fd)+1024-len(d.streams))...)
		}
		d.streams[fd] = c
		_ = unix.EpollCtl(d.fd, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{
			Events: unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(fd), Pad: d.gen,
		})
	})
}

// forget ends watch. Call it before the connection is closed: the descriptor may then be another connection's. The kernel
// removes a closed descriptor from the set.
func (d *disconnects) forget(c *hijacked) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.watched.gen != 0 && d.streams[c.watched.fd] == c {
		d.streams[c.watched.fd] = nil
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
			d.disconnected(ev)
		}
	}
	return ctx.Err()
}

// disconnected ends the stream that an event is about, unless its descriptor is another connection's by now.
func (d *disconnects) disconnected(ev unix.EpollEvent) {
	d.mu.Lock()
	c := d.streams[ev.Fd]
	if c == nil || c.watched.gen != ev.Pad {
		d.mu.Unlock()
		return
	}
	d.streams[ev.Fd] = nil
	reason := registry.Gone
	// The stream was still in the list, so that its descriptor is open: forget waits for the lock.
	if code, err := unix.GetsockoptInt(int(ev.Fd), unix.SOL_SOCKET, unix.SO_ERROR); err == nil && code != 0 {
		reason = closeReasonOf(unix.Errno(code))
	}
	d.mu.Unlock()
	c.disconnected(reason)
}
