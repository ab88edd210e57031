package sse

import (
	"errors"
	"os"
	"syscall"
	"time"

	"proofstream/stream/registry"
)

// writer is one subscriber's connection. Only one goroutine uses it.
type writer interface {
	// send writes whole frames with one write. The first send writes the head of the response too. No send follows an
	// error; closeReasonOf returns what it means.
	send(frames []byte) error
}

// MaxStall is the longest time that a stream stays open while its client accepts no byte.
const MaxStall = 15 * time.Second

// minStall is the shortest time without an accepted byte after which a stream may end.
const minStall = 10 * time.Second

// send writes frames to a subscriber and counts them.
func (s *Server) send(w writer, frames registry.Batch) error {
	err := w.send(frames.Bytes)
	if err == nil {
		s.o.Registry.Sent(frames)
	}
	return err
}

// one returns a batch of one frame.
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
