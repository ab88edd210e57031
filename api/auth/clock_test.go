package auth

import (
	"net/netip"
	"testing"
	"time"

	"proofstream/stream/clocktest"
)

// A wall clock that is set changes neither the rate limit nor the failed-auth limit: both count the time that has passed.
func TestLimitsIgnoreTheWallClock(t *testing.T) {
	for name, by := range map[string]time.Duration{"set back by 30 s": 30 * time.Second, "set forward by an hour": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			key := NewKey("default", defaultKey, 50)
			var wrong Failures
			from, start := netip.MustParseAddr("192.0.2.1"), time.Now()
			for key.Wait(start) == 0 {
			}
			for wrong.Wait(from, start) == 0 {
			}
			set := clocktest.SetBack(t, start, by)
			if wait := key.Wait(set); wait <= 0 || wait > 20*time.Millisecond {
				t.Errorf("the next signup has to wait %v, want a fiftieth of a second at most, and some", wait)
			}
			if wait := key.Wait(set.Add(20 * time.Millisecond)); wait != 0 {
				t.Errorf("after that it has to wait %v more", wait)
			}
			if wait := wrong.Wait(from, set); wait <= 0 || wait > 3*time.Second {
				t.Errorf("the next wrong key has to wait %v, want 3 s at most, and some", wait)
			}
			if wait := wrong.Wait(from, set.Add(3*time.Second)); wait != 0 {
				t.Errorf("after that it has to wait %v more", wait)
			}
		})
	}
}
