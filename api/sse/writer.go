package sse

import (
	"errors"
	"os"
	"syscall"
	"time"

	"proofstream/stream/registry"
)

// writer is one subscriber's connection. One goroutine uses it.
type writer interface {
	// send writes whole frames at once. The first send writes the head of the response too. An
	// error is final; closeReasonOf says what it means.
	send(frames []byte) error
}

// MaxStall is the time within which a stream ends whose client accepts no byte.
const MaxStall = 15 * time.Second

// minStall is how long a client may accept no byte, at least.
const minStall = 10 * time.Second

// deadline is a write deadline that is renewed only when it has come near, since setting one costs
// about as much as a tenth of a write. It has a monotonic reading: a clock that is set must not end
// streams, nor keep them open.
type deadline struct{ at time.Time }

// renew sets a deadline that lies between near and far from now, if the present one is nearer.
func (d *deadline) renew(c interface{ SetWriteDeadline(time.Time) error }, now time.Time, near, far time.Duration) {
	if d.at.Sub(now) < near {
		d.at = now.Add(far)
		_ = c.SetWriteDeadline(d.at) // a connection that cannot take one fails at the write that follows
	}
}

// send writes frames to a subscriber and counts them.
func (s *Server) send(w writer, frames registry.Batch) error {
	err := w.send(frames.Bytes)
	if err == nil {
		s.o.Registry.Sent(frames)
	}
	return err
}

// one is a batch of one frame.
func one(frame []byte) registry.Batch { return registry.Batch{Bytes: frame, Frames: 1} }

// closeReasonOf returns why a stream ended from the error that ended it.
func closeReasonOf(err error) registry.CloseReason {
	var reason registry.CloseReason
	switch {
	case errors.As(err, &reason):
		return reason
	case errors.Is(err, os.ErrDeadlineExceeded):
		return registry.Slow
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return registry.Dead
	}
	return registry.Gone // closed or reset by the other side
}
