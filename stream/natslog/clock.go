package natslog

import (
	"sync"
	"time"
)

// clock estimates the time by the cluster's clock.
type clock struct {
	mu     sync.Mutex    // guards offset
	offset time.Duration // by which the cluster's clock is ahead of ours
}

// adjust corrects the offset by a response with the cluster's time, for a request of ours that was sent and whose response was received at
// two of our times. It changes the offset only as far as the response proves it wrong, so that a slow response does no harm.
func (c *clock) adjust(sent, received, stamped time.Time) {
	if stamped.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = max(stamped.Sub(received), min(stamped.Sub(sent), c.offset))
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset).Truncate(time.Millisecond)
}

// Now returns the time by the servers' clock, which stamps events. Each description of a stream adjusts the estimate.
func (l *Log) Now() time.Time { return l.clock.now() }
