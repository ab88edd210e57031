package fanout

import (
	"fmt"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// A burst of many more posts than a subscriber's channel holds disconnects no subscriber that reads, however slowly, and loses nothing.
func TestBurstEndsNobodyWhoReads(t *testing.T) {
	e2e.Slow(t)
	n, posts := e2e.Scaled(200, 5000), 1000
	e2e.NeedDescriptors(t, n+500)
	p := e2e.Start(t, "PROOF_RETAIN=4000", "PROOF_BUFFER=4", e2e.MetricsOn(t))
	c := e2e.OpenReaders(t, p.Server, n, "")
	for _, r := range c.All[:n/4] {
		r.Slow(50 * time.Millisecond)
	}
	want := p.Burst(t, posts)
	c.Await(t, posts, time.Duration(e2e.Scaled(60, 600))*time.Second)
	if open := c.Open.Load(); int(open) != n {
		t.Errorf("%d of %d streams are open", open, n)
	}
	c.Audit(t, want)
	if caught := p.Metric(t, "proofstream_catchups_total"); caught == 0 {
		t.Error("no subscriber lagged: the burst was too small, or catch-ups are not counted")
	}
}

// Subscribers that missed thousands of events get all of them on one connection during live posts.
func TestLaggingSubscribersCatchUpWhilePostsGoOn(t *testing.T) {
	e2e.Slow(t)
	n := e2e.Scaled(2000, 10_000)
	p := e2e.Start(t, "PROOF_RETAIN=100000")
	first := p.Listen(t, "").Ready(t).ID
	want := p.Burst(t, n)
	live := e2e.StartLoad(t, p.Server, 0, 1, 0)
	c := e2e.OpenReaders(t, p.Server, 10, "?last_event_id="+first)
	c.Await(t, n, 2*waitfor.Patience)
	live.Stop()
	want = append(want, live.IDs()...)
	c.Await(t, len(want), 2*waitfor.Patience)
	c.Audit(t, want)
	if open := c.Open.Load(); open != 10 {
		t.Errorf("%d of 10 streams are open", open)
	}
}

// A stalled reader is disconnected 10 to 15 s after its last byte, and its descriptor is closed. The other readers get everything.
func TestStalledReaderCostsOnlyItself(t *testing.T) {
	e2e.Slow(t)
	t.Parallel()
	p := e2e.Start(t, e2e.MetricsOn(t), "PROOF_RETAIN=10000", "PROOF_HEARTBEAT=1s")
	c := e2e.OpenReaders(t, p.Server, 50, "")
	before := p.Descriptors(t)
	for range 10 {
		p.Stalled(t)
	}
	began := time.Now()
	p.Burst(t, 1000) // more than the kernel buffers for a connection
	posting := time.Since(began)
	c.Await(t, 1000, 2*waitfor.Patience)
	waitfor.Until(t, 15*time.Second+waitfor.Patience, func() bool { return p.Metric(t, `proofstream_streams_ended_total{reason="slow"}`) == 10 },
		func() string {
			return fmt.Sprint(p.Metric(t, `proofstream_streams_ended_total{reason="slow"}`), " of 10 were disconnected")
		})
	if took := time.Since(began); took < 10*time.Second || took > posting+17*time.Second {
		t.Errorf("disconnected after %v, of which the posts took %v; want 10 to 15 s after their last byte", took, posting)
	}
	waitfor.Until(t, waitfor.Patience, func() bool { return p.Descriptors(t) <= before+1 }, func() string {
		return fmt.Sprintf("%v descriptors, %v before", p.Descriptors(t), before)
	})
	if open := c.Open.Load(); open != 50 {
		t.Errorf("%d of 50 readers are left", open)
	}
}
