package sse

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// write writes b, and returns how much of it was written: all of it, if it may block. A reader that accepts some of it now and then has
// no time limit.
func (c *hijacked) write(b []byte, block bool) (int, error) {
	if c.conn != nil {
		return len(b), writeTo(c.conn, b)
	}
	n, err := writeNow(int(c.watched.fd), b)
	if n == len(b) || err != nil || !block {
		return n, err
	}
	return len(b), c.writeStalled(b[n:])
}

// writeNow writes what the kernel takes of b without waiting.
func writeNow(fd int, b []byte) (int, error) {
	for {
		switch n, err := unix.Write(fd, b); err {
		case nil:
			return n, nil
		case unix.EAGAIN:
			return 0, nil
		case unix.EINTR:
		default:
			return 0, err
		}
	}
}

// memoryPause is how long a stream waits after the kernel has reported room and then taken nothing. It does so when it is short of memory for
// sockets: see tcp_mem in tcp(7). Each report would else follow the last one at once.
const memoryPause = 20 * time.Millisecond

// writeStalled writes b while the reader accepts at least a byte within minStall. It looks every checkEvery, too: epoll reports a socket
// only when a third of its buffer is free. The kernel does not end the connection meanwhile: by TCP_USER_TIMEOUT it would also end
// one whose reader accepts less than a segment at a time.
func (c *hijacked) writeStalled(b []byte) error {
	fd := int(c.watched.fd)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 0)
	defer unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(vanishedAfter.Milliseconds()))
	s := stall{since: time.Now(), queued: unacknowledged(fd)}
	for {
		c.server.disconnects.awaitRoom(c, checkEvery)
		n, err := writeNow(fd, b)
		if b = b[n:]; err != nil || len(b) == 0 {
			return err
		}
		if s.lasts(time.Now(), n, unacknowledged(fd)) {
			return os.ErrDeadlineExceeded
		}
		if n == 0 {
			time.Sleep(memoryPause)
		}
	}
}

// stall is the state of a write that waits.
type stall struct {
	since  time.Time // when the reader was last seen to have accepted a byte; with a monotonic reading
	queued int       // bytes of the connection that it had not accepted then
}

// lasts reports whether the reader has accepted no byte for minStall, after an attempt which wrote some bytes and left others queued. A reader
// accepts bytes long before there is room for more: the kernel frees its buffer in pieces of up to 64 KiB.
func (s *stall) lasts(now time.Time, written, queued int) bool {
	if written > 0 || queued < s.queued {
		s.since = now
	}
	s.queued = queued
	return now.Sub(s.since) >= minStall
}

// unacknowledged returns how many bytes of a connection the kernel holds that the reader's side has not accepted: SIOCOUTQ in tcp(7).
func unacknowledged(fd int) int {
	n, _ := unix.IoctlGetInt(fd, unix.SIOCOUTQ) // 0 on an error, which the next write has too
	return n
}

// close closes the connection, which must be forgotten.
func (c *hijacked) close() {
	if c.conn != nil {
		c.conn.Close()
		return
	}
	unix.Close(int(c.watched.fd))
}
