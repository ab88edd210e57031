package sse

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// write writes b. A reader that accepts some of it now and then has no time limit.
func (c *hijacked) write(b []byte) error {
	if c.conn != nil {
		return writeTo(c.conn, b)
	}
	n, err := writeNow(int(c.watched.fd), b)
	if n == len(b) || err != nil {
		return err
	}
	return c.writeStalled(b[n:])
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

// writeStalled writes b while the reader accepts at least a byte within minStall. It looks every checkEvery, too: epoll reports a socket
// only when a third of its buffer is free.
func (c *hijacked) writeStalled(b []byte) error {
	for progress := time.Now(); time.Since(progress) < minStall; {
		c.watched.set.awaitRoom(c, checkEvery)
		n, err := writeNow(int(c.watched.fd), b)
		if err != nil {
			return err
		}
		if n > 0 {
			b, progress = b[n:], time.Now()
		}
		if len(b) == 0 {
			return nil
		}
	}
	return os.ErrDeadlineExceeded
}

// close closes the connection, which must be forgotten.
func (c *hijacked) close() {
	if c.conn != nil {
		c.conn.Close()
		return
	}
	unix.Close(int(c.watched.fd))
}
