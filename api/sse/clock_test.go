package sse

import (
	"testing"
	"time"
	"unsafe"
)

// setBack returns what time.Now would return at the moment t if the wall clock had been set back by whole
// seconds before: package time keeps them from bit 30 of a Time's first word on, beside the monotonic reading.
func setBack(t *testing.T, now time.Time, by time.Duration) time.Time {
	t.Helper()
	before := now
	*(*uint64)(unsafe.Pointer(&now)) -= uint64(by/time.Second) << 30
	if wall, passed := before.Round(0).Sub(now.Round(0)), now.Sub(before); wall != by || passed != 0 {
		t.Fatalf("the wall clock was set back by %v, and %v passed: package time keeps its times in another way", wall, passed)
	}
	return now
}

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
	now = setBack(t, now.Add(MaxStall-time.Second), 30*time.Second)
	d.renew(&set, now, minStall, MaxStall)
	if len(set) != 2 {
		t.Fatalf("%d deadlines were set, want 2: the first one was due in a second", len(set))
	}
	if left := set[1].Sub(now); left != MaxStall {
		t.Errorf("the write has %v, want %v", left, MaxStall)
	}
	now = setBack(t, now.Add(time.Millisecond), -30*time.Second)
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
		if f.stalled(setBack(t, start.Add(minStall-time.Millisecond), by)) {
			t.Errorf("stalled before %v, with the clock set back by %v", minStall, by)
		}
		if !f.stalled(setBack(t, start.Add(minStall), by)) {
			t.Errorf("not stalled after %v, with the clock set back by %v", minStall, by)
		}
	}
}
