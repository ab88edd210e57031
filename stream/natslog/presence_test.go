package natslog

import (
	"context"
	"sync"
	"testing"

	"proofstream/stream/natslog/natstest"
	"proofstream/stream/waitfor"
)

// runPresence runs a presence until the returned function is called, at the latest until the test's end.
func runPresence(t *testing.T, p *Presence) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

// TestPresence would catch nodes that do not count each other's streams, or count those of a node that has stopped.
func TestPresence(t *testing.T) {
	c := natstest.Start(t, 1)
	a := NewPresence(opened(t, Options{URL: c.URL()}), func() map[string]int { return map[string]int{"a": 3} })
	b := NewPresence(opened(t, Options{URL: c.URL()}), func() map[string]int { return map[string]int{"a": 4, "b": 1} })
	runPresence(t, a)
	stop := runPresence(t, b)
	waitfor.Fact(t, "both know each other", func() bool {
		return a.PeerStreams("a") == 4 && a.PeerStreams("b") == 1 && b.PeerStreams("a") == 3
	})
	stop()
	waitfor.Fact(t, "a forgets b", func() bool { return a.PeerStreams("a") == 0 })
}
