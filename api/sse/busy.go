package sse

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"proofstream/stream"
)

// minBusyDelay is the shortest reconnection delay of a stream that is busy because of too many subscribers or a log that
// cannot be read.
const minBusyDelay = 5 * time.Second

// maxBusyDelay is the longest such delay.
const maxBusyDelay = 30 * time.Second

// holdFor is how long a stream stays open after a busy frame. A browser that notices the end of an unfinished response
// drops what it has not read yet: without holdFor one Chromium in twenty never gets the delay. 20 ms were enough for 1,000
// of 1,000 on a busy machine.
const holdFor = 250 * time.Millisecond

// maxHeld is how many new streams refused with busy are held open at once, out of the descriptors in reserve.
const maxHeld = 64

// held counts the connections of new streams refused with busy.
type held struct{ n atomic.Int64 }

// enter returns how long the next such stream stays open, 0 when maxHeld are open, and what to call at its end.
func (h *held) enter(hold time.Duration) (time.Duration, func()) {
	if h.n.Add(1) > maxHeld {
		hold = 0
	}
	return hold, func() { h.n.Add(-1) }
}

// holdTime is how long a stream stays open after busy: a small part of the time that a drain has.
func (s *Server) holdTime() time.Duration { return min(holdFor, s.o.Grace/4) }

// drainDelay is the reconnection delay of a stream that a drain ends.
func (s *Server) drainDelay() time.Duration { return jitter(time.Second, max(s.o.Grace, time.Second)) }

// ServeBusy responds with a stream that has only a busy frame, with a delay of 5 to 30 s. It ends like Serve.
func (s *Server) ServeBusy(w http.ResponseWriter, r *http.Request) {
	s.retryLater(w, r, jitter(minBusyDelay, maxBusyDelay))
}

// ServeDraining responds with a stream that has only a busy frame, with a delay of 1 s to Options.Grace. It ends like Serve.
func (s *Server) ServeDraining(w http.ResponseWriter, r *http.Request) {
	s.retryLater(w, r, s.drainDelay())
}

func (s *Server) retryLater(w http.ResponseWriter, r *http.Request, delay time.Duration) {
	maps.Copy(w.Header(), streamHeaders)
	busy := one(stream.BusyFrame(delay))
	hold, leave := s.held.enter(s.holdTime())
	if c := s.hijack(w, r); c != nil {
		if s.send(c, busy) != nil {
			hold = 0 // the client has left
		}
		time.AfterFunc(hold, func() { // not a sleep: what net/http keeps for a request is freed now
			c.conn.Close()
			leave()
		})
		return
	}
	defer leave()
	_ = s.send(newFlushed(w, r), busy)
	time.Sleep(hold)
	panic(http.ErrAbortHandler)
}

// jitter returns a random duration, both bounds included, in whole milliseconds after least.
func jitter(least, most time.Duration) time.Duration {
	span := int64((most - least) / time.Millisecond)
	return least + time.Duration(rand.Int64N(span+1))*time.Millisecond
}
