package fanout

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// Thousands come and go in every way that a connection can end, some in the middle of a frame: goroutines,
// descriptors, memory and the registry are then where they were. 100,000 of them with PROOF_TEST_LONG=1, where after as
// many to warm up, twice, the heap in use counts with its half-empty pages; without -race.
func TestComingAndGoingLeavesNothing(t *testing.T) {
	visits := e2e.Scaled(4000, 100_000)
	p := e2e.Start(t, e2e.MetricsOn(t), "PROOF_RETAIN=1000", "PROOF_HEARTBEAT=1s")
	p.Burst(t, 1100) // retention is full
	for range e2e.Scaled(1, 2) {
		visitWhilePosting(t, p, e2e.Scaled(1000, visits)) // pools and tables reach their size
	}
	awaitNobody(t, p)
	before := heapRangeOf(t, p)
	goroutines, descriptors := p.Metric(t, "go_goroutines"), p.Descriptors(t)
	visitWhilePosting(t, p, visits)
	awaitNobody(t, p)
	waitfor.Until(t, waitfor.Patience, func() bool {
		return p.Metric(t, "go_goroutines") <= goroutines*1.01+2 && p.Descriptors(t) <= descriptors*1.01+2
	}, func() string {
		return fmt.Sprintf("%v goroutines and %v descriptors, %v and %v before", p.Metric(t, "go_goroutines"),
			p.Descriptors(t), goroutines, descriptors)
	})
	after := heapRangeOf(t, p)
	if e2e.Long && after.least > before.most*1.01 {
		t.Errorf("%.0f bytes of heap in use at least, %.0f to %.0f before", after.least, before.least, before.most)
	}
	// The log may have a block of its newest events in memory, and lets it go in time.
	waitfor.Until(t, 2*waitfor.Patience, func() bool { return p.Heap(t) <= before.live*1.01+2<<20 }, func() string {
		return fmt.Sprintf("%.1f MB of live heap, %.1f MB before", p.Heap(t)/(1<<20), before.live/(1<<20))
	})
	t.Logf("after %d visits: %v goroutines (%v before), %v descriptors (%v before), heap in use %.0f to %.0f (%.0f to %.0f before)",
		visits, p.Metric(t, "go_goroutines"), goroutines, p.Descriptors(t), descriptors, after.least, after.most, before.least, before.most)
}

// heapRange is the heap of an idle program: pools fill and are emptied, so that what is in use moves by more than a hundredth
// with nobody connected.
type heapRange struct{ least, most, live float64 }

// heapRange watches the heap for a minute in a soak, otherwise for a moment.
func heapRangeOf(t testing.TB, p *e2e.Program) heapRange {
	t.Helper()
	b := heapRange{least: math.Inf(1)}
	for range e2e.Scaled(1, 60) {
		b.live = p.Heap(t)
		inUse := p.Metric(t, "go_memstats_heap_inuse_bytes")
		b.least, b.most = min(b.least, inUse), max(b.most, inUse)
		if e2e.Long {
			time.Sleep(time.Second) // the time to watch
		}
	}
	return b
}

// visitWhilePosting is visit while events come all the time.
func visitWhilePosting(t *testing.T, p *e2e.Program, n int) {
	t.Helper()
	l := e2e.StartLoad(t, p.Server, 0, 1, 5*time.Millisecond)
	visit(t, p, n)
	l.End()
}

// awaitNobody waits until nobody is subscribed.
func awaitNobody(t testing.TB, p *e2e.Program) {
	t.Helper()
	e2e.HTTPClient.CloseIdleConnections()
	waitfor.Until(t, waitfor.Patience, func() bool { return p.Metric(t, "proofstream_subscribers") == 0 },
		func() string { return fmt.Sprint(p.Metric(t, "proofstream_subscribers"), " subscribers") })
}

// visit opens n streams, a hundred at a time, and leaves each in another way.
func visit(t testing.TB, p *e2e.Program, n int) {
	t.Helper()
	var visitors sync.WaitGroup
	for worker := range 100 {
		visitors.Go(func() {
			for i := worker; i < n; i += 100 {
				if err := visitOnce(p.Server, i); err != nil {
					t.Errorf("visit %d: %v", i, err)
					return
				}
			}
		})
	}
	visitors.Wait()
}

func visitOnce(s e2e.Server, i int) error {
	conn, err := s.DialRaw(nil, fmt.Sprintf("GET /events?recent=3 HTTP/1.%d\r\nHost: x\r\n\r\n", i%2))
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
