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

// After 4,000 visits that end in every way a connection can end, some in the middle of a frame, the numbers of goroutines, descriptors
// and subscribers and the live heap are as before. With PROOF_TEST_LONG=1, without -race, there are 100,000 visits after a warm-up of
// 200,000, and the heap in use must not grow either.
func TestVisitsLeaveNothing(t *testing.T) {
	visits := e2e.Scaled(2000, 100_000)
	p := e2e.Start(t, e2e.MetricsOn(t), "PROOF_RETAIN=1000", "PROOF_HEARTBEAT=1s")
	p.Burst(t, 1100) // retention is full
	for range e2e.Scaled(1, 2) {
		visitWhilePosting(t, p, e2e.Scaled(1000, visits)) // pools and maps reach their size
	}
	awaitNoSubscribers(t, p)
	before := heapRangeOf(t, p)
	goroutines, descriptors := p.Metric(t, "go_goroutines"), p.Descriptors(t)
	visitWhilePosting(t, p, visits)
	awaitNoSubscribers(t, p)
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
	// The log may have a block of its newest events in memory, which it frees after a while.
	waitfor.Until(t, 2*waitfor.Patience, func() bool { return p.Heap(t) <= before.live*1.01+2<<20 }, func() string {
		return fmt.Sprintf("%.1f MB of live heap, %.1f MB before", p.Heap(t)/(1<<20), before.live/(1<<20))
	})
	t.Logf("after %d visits: %v goroutines (%v before), %v descriptors (%v before), heap in use %.0f to %.0f (%.0f to %.0f before)",
		visits, p.Metric(t, "go_goroutines"), goroutines, p.Descriptors(t), descriptors, after.least, after.most, before.least, before.most)
}

// heapRange describes the heap of an idle program. Pools fill and empty, so the heap in use varies by more than 1 % without subscribers.
type heapRange struct {
	least, most float64 // bytes of heap in use
	live        float64 // bytes of live objects at the end
}

// heapRangeOf measures the heap 60 times in a minute with PROOF_TEST_LONG=1, otherwise once.
func heapRangeOf(t testing.TB, p *e2e.Program) heapRange {
	t.Helper()
	b := heapRange{least: math.Inf(1)}
	for range e2e.Scaled(1, 60) {
		b.live = p.Heap(t)
		inUse := p.Metric(t, "go_memstats_heap_inuse_bytes")
		b.least, b.most = min(b.least, inUse), max(b.most, inUse)
		if e2e.Long {
			time.Sleep(time.Second) // the minute of measurements
		}
	}
	return b
}

// visitWhilePosting is visit during live posts.
func visitWhilePosting(t *testing.T, p *e2e.Program, n int) {
	t.Helper()
	l := e2e.StartLoad(t, p.Server, 0, 1, 5*time.Millisecond)
	visit(t, p, n)
	l.Stop()
}

// awaitNoSubscribers waits until the program has no subscriber.
func awaitNoSubscribers(t testing.TB, p *e2e.Program) {
	t.Helper()
	e2e.CloseIdleConnections()
	waitfor.Until(t, waitfor.Patience, func() bool { return p.Metric(t, "proofstream_subscribers") == 0 },
		func() string { return fmt.Sprint(p.Metric(t, "proofstream_subscribers"), " subscribers") })
}

// visit opens n streams, 100 at a time, and ends them in five different ways.
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

// visitOnce opens a stream and ends it in a way that depends on i.
func visitOnce(s e2e.Server, i int) error {
	conn, err := s.DialRaw(nil, fmt.Sprintf("GET /events?recent=3 HTTP/1.%d\r\nHost: x\r\n\r\n", i%2))
	if err != nil {
		return err
	}
	defer conn.Close()
	switch i % 5 {
	case 0: // before any response
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
