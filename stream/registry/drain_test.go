package registry_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"proofstream/stream/registry"
	"proofstream/stream/waitfor"
)

// A drain must give each subscriber what waits for it, then end it; spread, not all at once; and
// no subscriber is admitted meanwhile.
func TestDrainSpreadsTheEnds(t *testing.T) {
	for _, n := range []int{100, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { drainSpreads(t, n) })
	}
}

func drainSpreads(t *testing.T, n int) {
	const over = 2 * time.Second
	d := newFixture(t, 10, registry.Options{MaxSubscribers: n})
	var reading sync.WaitGroup
	ends := make([]time.Time, n)
	for i := range n {
		s, _ := d.join(t, registry.Request{Site: "default"})
		reading.Go(func() { ends[i] = readUntilDrained(t, s) })
	}
	d.delivered(t, d.announce(t, "default", 1)[0])
	waitfor.Fact(t, "all were sent the event", func() bool { return !d.Sending("default") })
	if err := d.Drain(t.Context(), over); err != nil {
		t.Fatal(err)
	}
	reading.Wait()
	if _, _, err := d.Join(t.Context(), registry.Request{Site: "default"}); !errors.Is(err, registry.ErrDraining) {
		t.Errorf("a new subscriber got %v, want ErrDraining", err)
	}
	slices.SortFunc(ends, time.Time.Compare)
	if took := ends[n-1].Sub(ends[0]); took < over*3/4 {
		t.Errorf("%d streams ended within %v, want about %v", n, took, over)
	}
	for i := range n - n/2 { // any more than half
		if took := ends[i+n/2].Sub(ends[i]); took < over/6 {
			t.Errorf("%d of %d streams ended within %v, want at least a sixth of %v", n/2+1, n, took, over)
		}
	}
}

// readUntilDrained reads one event and the end of a subscription, and returns when that came.
func readUntilDrained(t *testing.T, s *registry.Subscription) time.Time {
	defer s.Close(registry.Gone)
	for events := 0; ; {
		b, err := s.Next()
		if err == nil {
			events += len(ids(b))
			continue
		}
		if events != 1 || !errors.Is(err, registry.Drained) {
			t.Errorf("ended after %d events with %v, want 1 and Drained", events, err)
		}
		return time.Now()
	}
}
