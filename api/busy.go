package api

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/stream"
)

// Delays asked of browsers that find as many subscribers as allowed, or a log that cannot be asked.
const (
	busyLeast = 5 * time.Second
	busyMost  = 30 * time.Second
)

// A stream that ends with busy is held open for a moment after it, because a browser that is told
// of an unfinished response drops what it has not read yet: without it one Chromium in twenty
// never gets the delay.
const (
	holdFor  = 250 * time.Millisecond // 20 ms were enough for 1,000 of 1,000 on a busy machine
	holdMost = 64                     // of new streams answered busy: no more than that of the descriptors in reserve
)

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

// retryLater answers with a stream that holds only the request to come back after a delay.
func (s *Server) retryLater(c echo.Context, delay time.Duration) error {
	maps.Copy(c.Response().Header(), streamHeaders)
	busy := one(stream.BusyFrame(delay))
	hold, leave := s.held.enter(s.holdTime())
	if t := s.takeOver(c); t != nil {
		if s.send(t, busy) != nil {
			hold = 0 // the client has left
		}
		time.AfterFunc(hold, func() { // without what net/http keeps for a request
			t.conn.Close()
			leave()
		})
		return nil
	}
	defer leave()
	_ = s.send(newFlushed(c), busy)
	time.Sleep(hold)
	panic(http.ErrAbortHandler)
}

// between returns a random duration, both bounds included, in whole milliseconds.
func between(least, most time.Duration) time.Duration {
	span := int64((most - least) / time.Millisecond)
	return least + time.Duration(rand.Int64N(span+1))*time.Millisecond
}
