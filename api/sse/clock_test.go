package sse

import (
	"testing"
	"time"

	"proofstream/stream/clocktest"
)

// deadlines records those that are set.
type deadlines []time.Time

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	*d = append(*d, at)
	return nil
}

// A clock that is set back must not leave a write with a deadline that has passed, which would end every stream.
func TestDeadlineIsRenewedAfterTheClockWasSetBack(t *testing.T) {
	var (
		d   deadline
		set deadlines
		now = time.Now()
	)
	d.renew(&set, now, minStall, MaxStall)
	now = clocktest.SetBack(t, now.Add(MaxStall-time.Second), 30*time.Second)
	d.renew(&set, now, minStall, MaxStall)
	if len(set) != 2 {
		t.Fatalf("%d deadlines were set, want 2: the first one was due in a second", len(set))
	}
	if left := set[1].Sub(now); left != MaxStall {
		t.Errorf("the write has %v, want %v", left, MaxStall)
	}
	now = clocktest.SetBack(t, now.Add(time.Millisecond), -30*time.Second)
	if d.renew(&set, now, minStall, MaxStall); len(set) != 2 {
		t.Error("a deadline that is far off was set again after the clock was set forward")
	}
}

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
