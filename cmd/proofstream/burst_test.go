package main

import (
	"fmt"
	"testing"
	"time"
)

// A burst of posts, far more than channels hold, ends nobody who reads, however slowly, and loses nothing.
func TestBurstEndsNobodyWhoReads(t *testing.T) {
	slow(t)
	n, posts := scaled(200, 5000), 1000
	needDescriptors(t, n+500)
	p := start(t, "PROOF_RETAIN=4000", "PROOF_BUFFER=4", metricsOn(t))
	c := openReaders(t, p.server, n, "")
	for _, r := range c.all[:n/4] {
		r.slow(50 * time.Millisecond)
	}
	want := p.burst(t, posts)
	c.await(t, posts, time.Duration(scaled(60, 600))*time.Second)
	if open := c.open.Load(); int(open) != n {
		t.Errorf("%d of %d streams are open", open, n)
	}
	c.audit(t, want)
	if caught := p.metric(t, "proofstream_catchups_total"); caught == 0 {
		t.Error("nobody lagged: this was no burst, or catch-ups are not counted")
	}
}

// Subscribers that missed thousands of events get all of them in one connection while posts go on.
func TestLaggingSubscribersCatchUpWhilePostsGoOn(t *testing.T) {
	slow(t)
	n := scaled(2000, 10_000)
	p := start(t, "PROOF_RETAIN=100000")
	first := p.listen(t, "").ready(t).id
	want := p.burst(t, n)
	live := startLoad(t, p.server, 0, 1, 0)
	c := openReaders(t, p.server, 10, "?last_event_id="+first)
	c.await(t, n, 2*patience)
	live.end()
	want = append(want, live.ids()...)
	c.await(t, len(want), 2*patience)
	c.audit(t, want)
	if open := c.open.Load(); open != 10 {
		t.Errorf("%d of 10 streams are open", open)
	}
}

// A reader that accepts no bytes is disconnected 10 to 15 s after its last byte, the others get everything meanwhile, and it
// leaves no descriptor open.
func TestStalledReaderCostsOnlyItself(t *testing.T) {
	slow(t)
	t.Parallel()
	p := start(t, metricsOn(t), "PROOF_RETAIN=10000", "PROOF_HEARTBEAT=1s")
	c := openReaders(t, p.server, 50, "")
	before := p.descriptors(t)
	for range 10 {
		p.stalled(t)
	}
	began := time.Now()
	p.burst(t, 1000) // more than the kernel holds for them
	posting := time.Since(began)
	c.await(t, 1000, 2*patience)
	until(t, 15*time.Second+patience, func() bool { return p.metric(t, `proofstream_streams_ended_total{reason="slow"}`) == 10 },
		func() string {
			return fmt.Sprint(p.metric(t, `proofstream_streams_ended_total{reason="slow"}`), " of 10 were disconnected")
		})
	if took := time.Since(began); took < 10*time.Second || took > posting+17*time.Second {
		t.Errorf("they were disconnected after %v of which %v went by posting, want 10 to 15 s after their last byte", took, posting)
	}
	until(t, patience, func() bool { return p.descriptors(t) <= before+1 }, func() string {
		return fmt.Sprintf("%v descriptors, %v before", p.descriptors(t), before)
	})
	if open := c.open.Load(); open != 50 {
		t.Errorf("%d of 50 readers are left", open)
	}
}
