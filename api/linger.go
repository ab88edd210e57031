package api

import (
	"sync/atomic"
	"time"
)

// A stream that is ended with busy stays open for a moment after it, because a browser that is told
// of an unfinished response drops what it has not taken yet: without it one Chromium in twenty
// never hears when to come back.
const (
	lingerFor  = 250 * time.Millisecond // 20 ms were enough for 1,000 of 1,000 on a busy machine
	lingerMost = 64                     // of those turned away: no more than that of the descriptors kept in reserve
)

// lingerers counts the turned away whose connections are still open.
type lingerers struct{ n atomic.Int64 }

// enter returns how long the next one may stay, and what to call at its end. When there are too many it
// is no time at all.
func (l *lingerers) enter(stay time.Duration) (time.Duration, func()) {
	if l.n.Add(1) > lingerMost {
		stay = 0
	}
	return stay, func() { l.n.Add(-1) }
}

// linger is how long a stream stays open after its last words: a small part of the time that a drain has.
func (s *Server) linger() time.Duration { return min(lingerFor, s.o.Grace/4) }
