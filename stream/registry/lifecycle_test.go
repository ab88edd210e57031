package registry_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/registry"
)

// Subscriptions come, read and go on many goroutines while events are published and outsiders end
// them: under the race detector there must be no double close, no send on a closed channel, nothing
// delivered after the end, and no subscription left over.
func TestComingAndGoingUnderLoad(t *testing.T) {
	rounds := 50_000
	if os.Getenv("PROOF_TEST_LONG") != "" {
		rounds = 1_000_000
	}
	d := newFixture(t, 1000, registry.Options{Buffer: 2, Window: 4, MaxSubscribers: 1 << 20})
	var left atomic.Int64
	left.Store(int64(rounds))
	var subscribers, publisher sync.WaitGroup
	over := make(chan struct{})
	publisher.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				d.announce(t, "default", 1)
			}
		}
	})
	for i := range 8 {
		random := rand.New(rand.NewPCG(uint64(i), 3))
		subscribers.Go(func() {
			for left.Add(-1) >= 0 {
				joinAndLeave(t, d, random)
			}
		})
	}
	subscribers.Wait()
	close(over)
	publisher.Wait()
	if n, _, err := d.Numbers(t.Context(), "default"); err != nil || n != 0 || d.Open() != 0 {
		t.Errorf("%d subscribers are left in the site, %d in the registry", n, d.Open())
	}
}

func joinAndLeave(t *testing.T, d *fixture, random *rand.Rand) {
	s, _, err := d.Join(context.Background(), registry.Request{Site: "default", Recent: random.IntN(3)})
	if err != nil {
		t.Error(err)
		return
	}
	var ender sync.WaitGroup
	for range random.IntN(3) {
		ender.Go(func() { s.End(registry.Gone) })
	}
	if random.IntN(8) == 0 {
		time.AfterFunc(time.Millisecond, func() { s.End(registry.Slow) })
		for err == nil {
			_, err = s.Next()
		}
		var reason registry.CloseReason
		if !errors.As(err, &reason) {
			t.Errorf("Next ended with %v, want a CloseReason", err)
		}
	}
	s.Close(registry.Gone)
	ender.Wait()
	for { // what was in the channel may still come, then the end, and that for good
		if _, err := s.Next(); err != nil {
			break
		}
	}
}

func TestFullRegistryRefusesSubscribers(t *testing.T) {
	d := newFixture(t, 10, registry.Options{MaxSubscribers: 2})
	a, _ := d.join(t, registry.Request{Site: "default"})
	b, _ := d.join(t, registry.Request{Site: "shop"})
	if _, _, err := d.Join(t.Context(), registry.Request{Site: "default"}); !errors.Is(err, registry.ErrFull) {
		t.Errorf("the third of two got %v, want ErrFull", err)
	}
	a.Close(registry.Gone)
	c, _ := d.join(t, registry.Request{Site: "default"})
	c.Close(registry.Gone)
	b.Close(registry.Slow)
	b.Close(registry.Gone) // the first reason counts
	ended := d.Stats().Ended
	if ended["full"] != 1 || ended["gone"] != 2 || ended["slow"] != 1 {
		t.Errorf("got endings %v, want full 1, gone 2, slow 1", ended)
	}
}

// Every subscriber gets a heartbeat once in a period, and not all at the same moment.
func TestHeartbeatReachesEveryone(t *testing.T) {
	const n, period = 64, 320 * time.Millisecond
	d := newFixture(t, 10, registry.Options{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var beating, reading sync.WaitGroup
	gaps := make([]time.Duration, n)
	for i := range n {
		s, _ := d.join(t, registry.Request{Site: "default"})
		reading.Go(func() {
			defer s.Close(registry.Gone)
			for last, heartbeats := time.Now(), 0; heartbeats < 4; heartbeats++ {
				b, err := s.Next()
				if err != nil || string(b.Bytes) != stream.Heartbeat {
					t.Errorf("got %q, %v, want a heartbeat", b.Bytes, err)
					return
				}
				gaps[i] = max(gaps[i], time.Since(last))
				last = time.Now()
			}
		})
	}
	beating.Go(func() { d.Heartbeat(ctx, period) })
	reading.Wait()
	stop()
	beating.Wait()
	for i, gap := range gaps {
		if gap > 3*period {
			t.Errorf("subscriber %d got nothing for %v", i, gap)
		}
	}
}
