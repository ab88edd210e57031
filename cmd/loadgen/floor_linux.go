package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"

	"golang.org/x/sys/unix"
)

// floor is a minimal server to compare with: it encodes an event once and calls write(2) once per
// socket. It stores nothing, checks no key and serves one site, but implements as much of the
// contract as loadgen uses.
type floor struct {
	epoll    int
	listener *net.TCPListener
	listenFD int              // descriptor of listener
	sockets  []int32          // subscribers
	index    []int32          // by descriptor: 1 + its index in sockets; 0: not a subscriber
	partial  map[int32][]byte // by descriptor: an incomplete request
	protocol floorProtocol
	buffer   []byte
}

// serveFloor serves the floor until ctx is done.
func serveFloor(ctx context.Context, address string, stderr io.Writer) error {
	fitDescriptors(0, 0)
	s, err := newFloor(address)
	if err != nil {
		return err
	}
	defer s.close()
	fmt.Fprintf(stderr, "floor listening on http://%s\n", s.listener.Addr())
	return s.serve(ctx)
}

// newFloor listens on the address.
func newFloor(address string) (*floor, error) {
	to, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("-floor %q is not an address to listen on; write it like 127.0.0.1:7000 (%w)", address, err)
	}
	s := &floor{partial: map[int32][]byte{}, buffer: make([]byte, 64<<10)}
	if s.listener, err = net.ListenTCP("tcp", to); err != nil {
		return nil, err
	}
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		s.listener.Close()
		return nil, err
	}
	raw, err := s.listener.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { s.listenFD = int(fd) })
	}
	if err == nil {
		err = s.watch(int32(s.listenFD))
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *floor) watch(fd int32) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: fd}
	return unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, int(fd), &event)
}

func (s *floor) serve(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	events := make([]unix.EpollEvent, 256)
	for ctx.Err() == nil {
		n, err := unix.EpollWait(s.epoll, events, 100)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for sockets: %w", err)
		}
		for _, event := range events[:max(n, 0)] {
			if int(event.Fd) == s.listenFD {
				s.accept()
			} else {
				s.read(event.Fd)
			}
		}
	}
	return nil
}

// accept takes at most 64 connections; epoll is level-triggered and reports the rest again.
func (s *floor) accept() {
	for range 64 {
		fd, _, err := unix.Accept4(s.listenFD, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if s.watch(int32(fd)) != nil {
			unix.Close(fd)
		}
	}
}

func (s *floor) read(fd int32) {
	n, err := unix.Read(int(fd), s.buffer)
	if n <= 0 {
		if err != unix.EAGAIN && err != unix.EINTR {
			s.disconnect(fd)
		}
		return
	}
	b := s.buffer[:n]
	if kept, ok := s.partial[fd]; ok {
		b = append(kept, b...)
		delete(s.partial, fd)
	}
	for len(b) > 0 {
		request, rest, ok := s.protocol.cut(b)
		if !ok {
			s.partial[fd] = append([]byte(nil), b...)
			return
		}
		s.respond(fd, request)
		b = rest
	}
}

// respond handles one request. A stream stays open; the others keep the connection alive.
func (s *floor) respond(fd int32, r floorRequest) {
	switch r.kind {
	case requestEvents:
		s.index = append(s.index, make([]int32, max(0, int(fd)+1-len(s.index)))...)
		s.sockets = append(s.sockets, fd)
		s.index[fd] = int32(len(s.sockets))
		s.write(fd, s.protocol.opening(r.lastID))
	case requestSignup:
		frame := s.protocol.event(r.name)
		for _, to := range s.sockets {
			s.write(to, frame)
		}
		s.write(fd, s.protocol.stored())
	default:
		s.write(fd, s.protocol.stats(len(s.sockets)))
	}
}

// write writes all of b and waits for a full socket buffer, as a blocking socket would. It ignores
// errors: epoll reports the broken connection.
func (s *floor) write(fd int32, b []byte) {
	for len(b) > 0 {
		n, err := unix.Write(int(fd), b)
		switch {
		case n > 0:
			b = b[n:]
		case err == unix.EAGAIN:
			full := []unix.PollFd{{Fd: fd, Events: unix.POLLOUT}}
			_, _ = unix.Poll(full, 1000)
		case err != unix.EINTR:
			return
		}
	}
}

func (s *floor) disconnect(fd int32) {
	if int(fd) < len(s.index) && s.index[fd] > 0 {
		at, last := s.index[fd]-1, len(s.sockets)-1
		s.sockets[at] = s.sockets[last]
		s.index[s.sockets[at]] = at + 1
		s.sockets, s.index[fd] = s.sockets[:last], 0
	}
	delete(s.partial, fd)
	unix.Close(int(fd))
}

func (s *floor) close() {
	for _, fd := range s.sockets {
		unix.Close(int(fd))
	}
	s.listener.Close()
	unix.Close(s.epoll)
}
