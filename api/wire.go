package api

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"proofstream/stream"
)

// wire is one subscriber's connection. One goroutine writes to it.
type wire interface {
	// send writes whole frames at once. The first send writes the head of the response too. An
	// error is final; endingOf says what it means.
	send(frames []byte) error
}

// A subscriber is let go when it has accepted no byte for at least slowLeast, and before slowMost.
const (
	slowLeast = 10 * time.Second
	slowMost  = 15 * time.Second
)

// deadline is a write deadline that is renewed only when it has come near, for setting one costs
// about as much as a tenth of a write.
type deadline struct {
	at int64 // nanoseconds since 1970
}

// renew sets a deadline that lies between near and far from now, if the present one is nearer.
func (d *deadline) renew(c interface{ SetWriteDeadline(time.Time) error }, near, far time.Duration) {
	now := time.Now()
	if d.at-now.UnixNano() < int64(near) {
		until := now.Add(far)
		d.at = until.UnixNano()
		_ = c.SetWriteDeadline(until) // a connection that cannot take one fails at the write that follows
	}
}

// endingOf says why a stream ended from the error that ended it.
func endingOf(err error) stream.Ending {
	var ending stream.Ending
	switch {
	case errors.As(err, &ending):
		return ending
	case errors.Is(err, os.ErrDeadlineExceeded):
		return stream.Slow
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return stream.Dead
	case errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		return stream.Gone
	}
	return stream.Gone
}
