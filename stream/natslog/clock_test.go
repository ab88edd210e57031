package natslog

import (
	"testing"
	"time"
)

// TestClock would catch a clock that follows the jitter of responses, or that does not follow the cluster's clock.
func TestClock(t *testing.T) {
	var c clock
	now := time.Now()
	at := func(ms int) time.Time { return now.Add(time.Duration(ms) * time.Millisecond) }
	for _, step := range []struct {
		sent, received, given int // ms
		want                  time.Duration
	}{
		{0, 10, 5, 0}, {0, 10, 1005, 995 * time.Millisecond}, {0, 400, 1100, 995 * time.Millisecond},
		{0, 2, 999, 997 * time.Millisecond}, {0, 2, -500, -500 * time.Millisecond},
	} {
		c.adjust(at(step.sent), at(step.received), at(step.given))
		if c.offset != step.want {
			t.Errorf("offset after %+v is %v", step, c.offset)
		}
	}
}
