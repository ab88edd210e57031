package main

import (
	"fmt"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Thousands come and go in every way that a connection can end, some in the middle of a frame: goroutines,
// descriptors, memory and the registry are then where they were. 100,000 of them with PROOF_TEST_LONG=1, where after as
// many to warm up, twice, the heap in use is judged with its half-empty pages; without -race.
func TestComingAndGoingLeavesNothing(t *testing.T) {
	visits := scaled(4000, 100_000)
	metrics := freeAddress(t)
	p := start(t, "PROOF_METRICS_ADDR="+metrics, "PROOF_RETAIN=1000", "PROOF_HEARTBEAT=1s")
	p.burst(t, 1100) // as many are kept as may be
	for range scaled(1, 2) {
		p.visitWhilePosting(t, scaled(1000, visits)) // pools and tables reach their size
	}
	p.settled(t, metrics)
	before := p.band(t, metrics)
	goroutines, files := p.metric(t, metrics, "go_goroutines"), p.files(t, metrics)
	p.visitWhilePosting(t, visits)
	p.settled(t, metrics)
	until(t, patience, func() bool {
		return p.metric(t, metrics, "go_goroutines") <= goroutines*1.01+2 && p.files(t, metrics) <= files*1.01+2
	}, func() string {
		return fmt.Sprintf("%v goroutines and %v descriptors, %v and %v before", p.metric(t, metrics, "go_goroutines"),
			p.files(t, metrics), goroutines, files)
	})
	after := p.band(t, metrics)
	if long && after.least > before.most*1.01 {
		t.Errorf("%.0f bytes of heap in use at least, %.0f to %.0f before", after.least, before.least, before.most)
	}
	// The log may have a block of its newest events in memory, and lets it go in time.
	until(t, 2*patience, func() bool { return p.heap(t, metrics) <= before.live*1.01+2<<20 }, func() string {
		return fmt.Sprintf("%.1f MB of live heap, %.1f MB before", p.heap(t, metrics)/(1<<20), before.live/(1<<20))
	})
	t.Logf("after %d visits: %v goroutines (%v before), %v descriptors (%v before), heap in use %.0f to %.0f (%.0f to %.0f before)",
		visits, p.metric(t, metrics, "go_goroutines"), goroutines, p.files(t, metrics), files, after.least, after.most, before.least, before.most)
}

// band is what heap an idle program has: the log keeps pools and a cache of the subjects of its answers, which fill and are
// emptied in turn, so that what is in use moves by more than a hundredth with nobody connected.
type band struct{ least, most, live float64 }

// band watches the heap for a minute in a soak, otherwise for a moment.
func (p *program) band(t testing.TB, metrics string) band {
	t.Helper()
	b := band{least: math.Inf(1)}
	for range scaled(1, 60) {
		b.live = p.heap(t, metrics)
		inUse := p.metric(t, metrics, "go_memstats_heap_inuse_bytes")
		b.least, b.most = min(b.least, inUse), max(b.most, inUse)
		if long {
			time.Sleep(time.Second) // the time to watch
		}
	}
	return b
}

// visitWhilePosting is visit while events come all the time.
func (p *program) visitWhilePosting(t testing.TB, n int) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond): // posts are not what is tested
				p.tryPost("", "user_name=meanwhile")
			}
		}
	}()
	p.visit(t, n)
	close(stop)
	<-stopped
}

// settled waits until nobody is subscribed.
func (p *program) settled(t testing.TB, metrics string) {
	t.Helper()
	client.CloseIdleConnections()
	until(t, patience, func() bool { return p.metric(t, metrics, "proofstream_subscribers") == 0 },
		func() string { return fmt.Sprint(p.metric(t, metrics, "proofstream_subscribers"), " subscribers") })
}

// heap returns the bytes of live objects, after a collection: pages that are half empty are no leak.
func (p *program) heap(t testing.TB, metrics string) float64 {
	t.Helper()
	ops := &program{url: "http://" + metrics}
	for range 2 {
		ops.get(t, "/debug/pprof/heap?gc=1")
	}
	return p.metric(t, metrics, "go_memstats_heap_alloc_bytes")
}

// visit opens n streams, a hundred at a time, and leaves each in another way.
func (p *program) visit(t testing.TB, n int) {
	t.Helper()
	addr := strings.TrimPrefix(p.url, "http://")
	var visitors sync.WaitGroup
	for worker := range 100 {
		visitors.Go(func() {
			for i := worker; i < n; i += 100 {
				if err := visitOnce(addr, i); err != nil {
					t.Errorf("visit %d: %v", i, err)
					return
				}
			}
		})
	}
	visitors.Wait()
}

func visitOnce(addr string, i int) error {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	tcp := conn.(*net.TCPConn)
	tcp.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(conn, "GET /events?recent=3 HTTP/1.%d\r\nHost: x\r\n\r\n", i%2); err != nil {
		return err
	}
	switch i % 5 {
	case 0: // before any answer
	case 1: // in the middle of the first frame
		_, err = conn.Read(make([]byte, 20))
	case 2: // a reset
		_, err = conn.Read(make([]byte, 1000))
		tcp.SetLinger(0)
	case 3: // half closed, then read to the end
		_, err = conn.Read(make([]byte, 1000))
		tcp.CloseWrite()
		for b := make([]byte, 1000); err == nil; {
			_, err = conn.Read(b)
		}
		err = nil // the server's end may be a reset
	default: // the ordinary way
		_, err = conn.Read(make([]byte, 1000))
	}
	return err
}
