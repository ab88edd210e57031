package api

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

// disconnects notices, for all connections taken over, that the other side has closed: one epoll set
// for all instead of a reading goroutine for each.
type disconnects struct {
	epoll *os.File // in Go's own poller, which parks run until a client disconnects

	mu      sync.Mutex // guards all below
	fd      int        // of epoll; -1 once that is closed
	streams []*taken   // by descriptor
	gen     int32
}

// watched is a connection's entry in the set.
type watched struct {
	fd  int32
	gen int32 // tells it from others that had the same descriptor
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

// close closes the set. From then on nobody is watched.
func (h *disconnects) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fd = -1
	return h.epoll.Close()
}

// watch begins to look after a connection whose subscription is set.
func (h *disconnects) watch(t *taken) {
	tcp := tcpOf(t.conn)
	if tcp == nil {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // fails only on a closed connection, which the first write shows
		h.mu.Lock()
		defer h.mu.Unlock()
		h.gen++
		t.watched = watched{fd: int32(fd), gen: h.gen}
		if int(fd) >= len(h.streams) {
			h.streams = append(h.streams, make([]*taken, int(fd)+1024-len(h.streams))...)
		}
		h.streams[fd] = t
		_ = unix.EpollCtl(h.fd, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{
			Events: unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(fd), Pad: h.gen,
		})
	})
}

// forget must come before the connection is closed. The kernel takes a closed one out of the set.
func (h *disconnects) forget(t *taken) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.watched.gen != 0 && h.streams[t.watched.fd] == t {
		h.streams[t.watched.fd] = nil
	}
}

// run ends each stream whose client disconnects, until ctx ends.
func (h *disconnects) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { h.epoll.SetReadDeadline(time.Now()) })
	defer stop()
	raw, err := h.epoll.SyscallConn()
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
			h.disconnected(ev)
		}
	}
	return ctx.Err()
}

func (h *disconnects) disconnected(ev unix.EpollEvent) {
	h.mu.Lock()
	t := h.streams[ev.Fd]
	if t == nil || t.watched.gen != ev.Pad {
		h.mu.Unlock()
		return
	}
	h.streams[ev.Fd] = nil
	reason := registry.Gone
	// While the stream is in the list, nobody has closed the descriptor.
	if code, err := unix.GetsockoptInt(int(ev.Fd), unix.SOL_SOCKET, unix.SO_ERROR); err == nil && code != 0 {
		reason = closeReasonOf(unix.Errno(code))
	}
	h.mu.Unlock()
	t.disconnected(reason)
}
