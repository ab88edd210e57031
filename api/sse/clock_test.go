package sse

import (
	"testing"
	"time"

	"proofstream/stream/clocktest"
)

// Whether a reader is stalled depends on the time that has passed, whatever the clock shows.
func TestReaderIsStalledByTheTimeThatHasPassed(t *testing.T) {
	start := time.Now()
	f := flushed{opened: start.Add(-time.Hour)}
	f.startWrite(start)
	for _, by := range []time.Duration{30 * time.Second, -30 * time.Second} {
		if f.stalled(clocktest.SetBack(t, start.Add(minStall-time.Millisecond), by)) {
			t.Errorf("stalled before %v, with the clock set back by %v", minStall, by)
		}
		if !f.stalled(clocktest.SetBack(t, start.Add(minStall), by)) {
			t.Errorf("not stalled after %v, with the clock set back by %v", minStall, by)
		}
	}
}
