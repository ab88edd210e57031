package main

import (
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// epollWire keeps non-blocking sockets in one epoll set: four bytes of state each, one read call
// per arrival, no goroutines.
type epollWire struct {
	epoll   int
	to      unix.Sockaddr
	sources []unix.Sockaddr
	fds     []int32  // by subscriber; -1 is closed
	turn    []int32  // counts the sockets a subscriber has had, to tell stale notices
	unsent  [][]byte // requests that wait for their connection
	failed  []ending // found outside of poll, told in the next one
	events  []unix.EpollEvent
	buffer  []byte
}

// readable asks for one notice per arrival (edge-triggered): with a notice as long as something is
// there, the kernel would look at every socket a second time to find it empty.
const readable = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

type ending struct {
	i   int
	err error
}

func newEpollWire(t *target, n int) (*epollWire, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	w := &epollWire{
		epoll: epoll, to: sockaddr(t.address.IP, t.address.Port),
		fds: make([]int32, n), turn: make([]int32, n), unsent: make([][]byte, n),
		events: make([]unix.EpollEvent, 512), buffer: make([]byte, 64<<10),
	}
	for _, ip := range t.sources() {
		w.sources = append(w.sources, sockaddr(ip, 0))
	}
	for i := range w.fds {
		w.fds[i] = -1
	}
	return w, nil
}

func sockaddr(ip net.IP, port int) unix.Sockaddr {
	if v4 := ip.To4(); v4 != nil {
		return &unix.SockaddrInet4{Port: port, Addr: [4]byte(v4)}
	}
	return &unix.SockaddrInet6{Port: port, Addr: [16]byte(ip.To16())}
}

func (w *epollWire) open(i int, request []byte) {
	fd, err := w.socket(i)
	if err != nil {
		w.failed = append(w.failed, ending{i, err})
		return
	}
	w.fds[i] = int32(fd)
	w.turn[i]++
	// On loopback the handshake is over when connect returns, and the request can go at once.
	interest := uint32(readable)
	if _, err := unix.Write(fd, request); err == unix.EAGAIN || err == unix.ENOTCONN {
		w.unsent[i] = request
		interest |= unix.EPOLLOUT
	}
	w.watch(unix.EPOLL_CTL_ADD, i, interest)
}

func (w *epollWire) socket(i int) (int, error) {
	family := unix.AF_INET
	if _, six := w.to.(*unix.SockaddrInet6); six {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if len(w.sources) > 0 {
		// The port is chosen at connect, when the whole pair is known: else 28,000 would be all.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd, w.sources[i%len(w.sources)]); err != nil {
			unix.Close(fd)
			return -1, err
		}
	}
	if err := unix.Connect(fd, w.to); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (w *epollWire) watch(op, i int, interest uint32) {
	event := unix.EpollEvent{Events: interest, Fd: int32(i), Pad: w.turn[i]}
	if err := unix.EpollCtl(w.epoll, op, int(w.fds[i]), &event); err != nil {
		w.failed = append(w.failed, ending{i, err})
	}
}

func (w *epollWire) shut(i int) {
	if w.fds[i] < 0 {
		return
	}
	unix.Close(int(w.fds[i]))
	w.fds[i] = -1
	w.turn[i]++
	w.unsent[i] = nil
}

func (w *epollWire) poll(d time.Duration, to sink) error {
	failed := w.failed
	w.failed = nil
	for _, f := range failed {
		w.shut(f.i)
		to.ended(f.i, f.err)
	}
	n, err := unix.EpollWait(w.epoll, w.events, int(d.Milliseconds()))
	if err != nil && err != unix.EINTR {
		return err
	}
	for _, event := range w.events[:max(n, 0)] {
		if i := int(event.Fd); w.turn[i] == event.Pad {
			w.handle(i, event.Events, to)
		}
	}
	return nil
}

func (w *epollWire) handle(i int, events uint32, to sink) {
	fd := int(w.fds[i])
	if w.unsent[i] != nil && events&unix.EPOLLOUT != 0 {
		if _, err := unix.Write(fd, w.unsent[i]); err == nil {
			w.unsent[i] = nil
			w.watch(unix.EPOLL_CTL_MOD, i, readable)
		}
	}
	if events&^unix.EPOLLOUT == 0 {
		return
	}
	over := events&^(unix.EPOLLOUT|unix.EPOLLIN) != 0
	for turn := w.turn[i]; w.turn[i] == turn && w.read(i, over, to); {
	}
}

// read takes one buffer full from subscriber i and reports whether more must be read now: only a
// buffer filled to the brim, or a connection that is over, can hold more without a further notice.
func (w *epollWire) read(i int, over bool, to sink) bool {
	n, err := unix.Read(int(w.fds[i]), w.buffer)
	switch {
	case n > 0:
		to.received(i, w.buffer[:n], clock())
		return n == len(w.buffer) || over
	case err == unix.EINTR:
		return true
	case err == unix.EAGAIN:
		return false
	}
	if err == nil {
		err = io.EOF
	}
	w.shut(i)
	to.ended(i, err)
	return false
}

func (w *epollWire) release() {
	for i := range w.fds {
		w.shut(i)
	}
	unix.Close(w.epoll)
}

// newWire picks the wire for a target.
func newWire(t *target, n int) (wire, error) {
	if t.secure != nil {
		return newNetWire(t, n), nil
	}
	return newEpollWire(t, n)
}

// sleepUntil returns when the clock shows at, or up to 20 ms later than done turns true. The
// runtime's own timers would be up to a millisecond late, which is what we measure.
func sleepUntil(at int64, done func() bool) {
	for left := at - clock(); left > 0 && !done(); left = at - clock() {
		nap := unix.NsecToTimespec(min(left, int64(20*time.Millisecond)))
		_ = unix.Nanosleep(&nap, nil)
	}
}

// fitDescriptors returns how many of n sockets this process may open beside a reserve, raising its
// own limit as far as it is allowed to.
func fitDescriptors(n, reserve int) (fits, limit int) {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return n, 0
	}
	if r.Cur < r.Max {
		raised := unix.Rlimit{Cur: r.Max, Max: r.Max}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			r = raised
		}
	}
	limit = int(min(uint64(r.Cur), 1<<30))
	return max(0, min(n, limit-reserve)), limit
}
