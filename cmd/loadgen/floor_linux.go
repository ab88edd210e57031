package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"

	"golang.org/x/sys/unix"
)

// floor is the least a server can do: a list of sockets, and one write(2) for each of them and
// each event, with bytes encoded once. It stores nothing, checks no key and serves one site, but
// speaks enough of the contract that the generator measures it like any other server.
type floor struct {
	epoll    int
	listener int
	sockets  []int32          // the subscribers
	place    []int32          // by descriptor: where a subscriber stands in sockets, plus one
	partial  map[int32][]byte // requests that have not come whole
	script   floorScript
	buffer   []byte
}

// serveFloor runs the floor until the context ends.
func serveFloor(ctx context.Context, address string, stderr io.Writer) error {
	fitDescriptors(0, 0)
	f, bound, err := newFloor(address)
	if err != nil {
		return err
	}
	defer f.close()
	fmt.Fprintf(stderr, "floor listening on http://%s\n", bound)
	return f.serve(ctx)
}

func newFloor(address string) (*floor, *net.TCPAddr, error) {
	to, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("-floor %q is no address to listen on; write it like 127.0.0.1:7000 (%w)", address, err)
	}
	if to.IP == nil {
		to.IP = net.IPv4zero
	}
	f := &floor{partial: map[int32][]byte{}, buffer: make([]byte, 64<<10)}
	if f.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, nil, err
	}
	if f.listener, err = listen(to); err != nil {
		unix.Close(f.epoll)
		return nil, nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if to.Port, err = boundPort(f.listener); err != nil {
		f.close()
		return nil, nil, err
	}
	return f, to, f.watch(int32(f.listener))
}

func listen(to *net.TCPAddr) (int, error) {
	family := unix.AF_INET
	if to.IP.To4() == nil {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err = unix.Bind(fd, sockaddr(to.IP, to.Port)); err == nil {
		err = unix.Listen(fd, 4096)
	}
	if err != nil {
		unix.Close(fd)
	}
	return fd, err
}

func boundPort(fd int) (int, error) {
	bound, err := unix.Getsockname(fd)
	switch a := bound.(type) {
	case *unix.SockaddrInet4:
		return a.Port, err
	case *unix.SockaddrInet6:
		return a.Port, err
	}
	return 0, err
}

func (f *floor) watch(fd int32) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: fd}
	return unix.EpollCtl(f.epoll, unix.EPOLL_CTL_ADD, int(fd), &event)
}

func (f *floor) serve(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	events := make([]unix.EpollEvent, 256)
	for ctx.Err() == nil {
		n, err := unix.EpollWait(f.epoll, events, 100)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for sockets: %w", err)
		}
		for _, event := range events[:max(n, 0)] {
			if int(event.Fd) == f.listener {
				f.accept()
			} else {
				f.read(event.Fd)
			}
		}
	}
	return nil
}

func (f *floor) accept() {
	for range 64 {
		fd, _, err := unix.Accept4(f.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if f.watch(int32(fd)) != nil {
			unix.Close(fd)
		}
	}
}

func (f *floor) read(fd int32) {
	n, err := unix.Read(int(fd), f.buffer)
	if n <= 0 {
		if err != unix.EAGAIN && err != unix.EINTR {
			f.hangUp(fd)
		}
		return
	}
	b := f.buffer[:n]
	if kept, ok := f.partial[fd]; ok {
		b = append(kept, b...)
		delete(f.partial, fd)
	}
	for len(b) > 0 {
		request, rest, ok := f.script.cut(b)
		if !ok {
			f.partial[fd] = append([]byte(nil), b...)
			return
		}
		f.answer(fd, request)
		b = rest
	}
}

func (f *floor) answer(fd int32, r floorRequest) {
	switch r.kind {
	case floorEvents:
		f.place = append(f.place, make([]int32, max(0, int(fd)+1-len(f.place)))...)
		f.sockets = append(f.sockets, fd)
		f.place[fd] = int32(len(f.sockets))
		f.write(fd, f.script.opening(r.lastID))
	case floorSignup:
		frame := f.script.event(r.name)
		for _, to := range f.sockets {
			f.write(to, frame)
		}
		f.write(fd, f.script.stored())
	default:
		f.write(fd, f.script.stats(len(f.sockets)))
	}
}

// write sends everything; a full socket is waited for, as a blocking one would. A broken one is
// left to its hang-up notice.
func (f *floor) write(fd int32, b []byte) {
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

func (f *floor) hangUp(fd int32) {
	if int(fd) < len(f.place) && f.place[fd] > 0 {
		at, last := f.place[fd]-1, len(f.sockets)-1
		f.sockets[at] = f.sockets[last]
		f.place[f.sockets[at]] = at + 1
		f.sockets, f.place[fd] = f.sockets[:last], 0
	}
	delete(f.partial, fd)
	unix.Close(int(fd))
}

func (f *floor) close() {
	for _, fd := range f.sockets {
		unix.Close(int(fd))
	}
	unix.Close(f.listener)
	unix.Close(f.epoll)
}
