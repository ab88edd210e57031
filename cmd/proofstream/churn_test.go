package main

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"
)

// Thousands come and go in every way that a connection can end, some in the middle of a frame: goroutines,
// descriptors, memory and the registry are then where they were. 100,000 of them with PROOF_TEST_LONG=1, where after as
// many to warm up, twice, the heap in use counts with its half-empty pages; without -race.
func TestComingAndGoingLeavesNothing(t *testing.T) {
	visits := scaled(4000, 100_000)
	p := start(t, metricsOn(t), "PROOF_RETAIN=1000", "PROOF_HEARTBEAT=1s")
	p.burst(t, 1100) // retention is full
	for range scaled(1, 2) {
		p.visitWhilePosting(t, scaled(1000, visits)) // pools and tables reach their size
	}
	p.awaitNobody(t)
	before := p.heapRange(t)
	goroutines, descriptors := p.metric(t, "go_goroutines"), p.descriptors(t)
	p.visitWhilePosting(t, visits)
	p.awaitNobody(t)
	until(t, patience, func() bool {
		return p.metric(t, "go_goroutines") <= goroutines*1.01+2 && p.descriptors(t) <= descriptors*1.01+2
	}, func() string {
		return fmt.Sprintf("%v goroutines and %v descriptors, %v and %v before", p.metric(t, "go_goroutines"),
			p.descriptors(t), goroutines, descriptors)
	})
	after := p.heapRange(t)
	if long && after.least > before.most*1.01 {
		t.Errorf("%.0f bytes of heap in use at least, %.0f to %.0f before", after.least, before.least, before.most)
	}
	// The log may have a block of its newest events in memory, and lets it go in time.
	until(t, 2*patience, func() bool { return p.heap(t) <= before.live*1.01+2<<20 }, func() string {
		return fmt.Sprintf("%.1f MB of live heap, %.1f MB before", p.heap(t)/(1<<20), before.live/(1<<20))
	})
	t.Logf("after %d visits: %v goroutines (%v before), %v descriptors (%v before), heap in use %.0f to %.0f (%.0f to %.0f before)",
		visits, p.metric(t, "go_goroutines"), goroutines, p.descriptors(t), descriptors, after.least, after.most, before.least, before.most)
}

// heapRange is the heap of an idle program: pools fill and are emptied, so that what is in use moves by more than a hundredth
// with nobody connected.
type heapRange struct{ least, most, live float64 }

// heapRange watches the heap for a minute in a soak, otherwise for a moment.
func (p *program) heapRange(t testing.TB) heapRange {
	t.Helper()
	b := heapRange{least: math.Inf(1)}
	for range scaled(1, 60) {
		b.live = p.heap(t)
		inUse := p.metric(t, "go_memstats_heap_inuse_bytes")
		b.least, b.most = min(b.least, inUse), max(b.most, inUse)
		if long {
			time.Sleep(time.Second) // the time to watch
		}
	}
	return b
}

// visitWhilePosting is visit while events come all the time.
func (p *program) visitWhilePosting(t *testing.T, n int) {
	t.Helper()
	l := startLoad(t, p.server, 0, 1, 5*time.Millisecond)
	p.visit(t, n)
	l.end()
}

// awaitNobody waits until nobody is subscribed.
func (p *program) awaitNobody(t testing.TB) {
	t.Helper()
	httpClient.CloseIdleConnections()
	until(t, patience, func() bool { return p.metric(t, "proofstream_subscribers") == 0 },
		func() string { return fmt.Sprint(p.metric(t, "proofstream_subscribers"), " subscribers") })
}

// visit opens n streams, a hundred at a time, and leaves each in another way.
func (p *program) visit(t testing.TB, n int) {
	t.Helper()
	var visitors sync.WaitGroup
	for worker := range 100 {
		visitors.Go(func() {
			for i := worker; i < n; i += 100 {
				if err := visitOnce(p.server, i); err != nil {
					t.Errorf("visit %d: %v", i, err)
					return
				}
			}
		})
	}
	visitors.Wait()
}

func visitOnce(s server, i int) error {
	conn, err := s.dialRaw(nil, fmt.Sprintf("GET /events?recent=3 HTTP/1.%d\r\nHost: x\r\n\r\n", i%2))
	if err != nil {
		return err
	}
	defer conn.Close()
	switch i % 5 {
	case 0: // before any answer
	case 1: // in the middle of the first frame
		_, err = conn.Read(make([]byte, 20))
	case 2: // a reset
		_, err = conn.Read(make([]byte, 1000))
		conn.SetLinger(0)
	case 3: // half closed, then read to the end
		_, err = conn.Read(make([]byte, 1000))
		conn.CloseWrite()
		for b := make([]byte, 1000); err == nil; {
			_, err = conn.Read(b)
		}
		err = nil // the server's end may be a reset
	default: // the ordinary way
		_, err = conn.Read(make([]byte, 1000))
	}
	return err
}
