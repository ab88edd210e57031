package sse

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"proofstream/stream"
)

// The delay asked of browsers that find as many subscribers as allowed, or a log that cannot be read.
const (
	busyLeast = 5 * time.Second
	busyMost  = 30 * time.Second
)

// holdFor is how long a stream that ends with busy is held open after it, because a browser that is told of an
// unfinished response drops what it has not read yet: without it one Chromium in twenty never gets the delay. 20 ms
// were enough for 1,000 of 1,000 on a busy machine.
const holdFor = 250 * time.Millisecond

// holdMost is how many new streams answered busy are held open at once, out of the descriptors in reserve.
const holdMost = 64

// held counts the connections of new streams that were answered busy.
type held struct{ n atomic.Int64 }

// enter returns how long the next one stays open, and what to call at its end. When there are too many
// it is no time at all.
func (h *held) enter(hold time.Duration) (time.Duration, func()) {
	if h.n.Add(1) > holdMost {
		hold = 0
	}
	return hold, func() { h.n.Add(-1) }
}

// holdTime is how long a stream stays open after busy: a small part of the time that a drain has.
func (s *Server) holdTime() time.Duration { return min(holdFor, s.o.Grace/4) }

// drainDelay is the delay asked of a browser whose stream a drain ends.
func (s *Server) drainDelay() time.Duration { return between(time.Second, max(s.o.Grace, time.Second)) }

// ServeBusy answers with a stream that holds only the request to come back when there may be room. It ends like Serve.
func (s *Server) ServeBusy(w http.ResponseWriter, r *http.Request) {
	s.retryLater(w, r, between(busyLeast, busyMost))
}

// ServeDraining answers with a stream that holds only the request to come back when the drain is over. It ends like
// Serve.
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
		time.AfterFunc(hold, func() { // without what net/http keeps for a request
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

// between returns a random duration, both bounds included, in whole milliseconds.
func between(least, most time.Duration) time.Duration {
	span := int64((most - least) / time.Millisecond)
	return least + time.Duration(rand.Int64N(span+1))*time.Millisecond
}
