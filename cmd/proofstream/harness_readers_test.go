package main

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// readers are many subscribers of one site that do not reconnect.
type readers struct {
	all     []*reader
	arrived atomic.Int64 // signups, at all readers together
	open    atomic.Int64 // streams that have not ended
	timed   atomic.Bool  // readers record when signups arrive
	done    sync.WaitGroup
}

// reader is one of readers. Its fields may be read when its stream has ended, or with mu locked.
type reader struct {
	of    *readers
	close func()
	slow  func(pause time.Duration) // pauses after each batch that it reads, and the kernel buffers little for it
	pause atomic.Int64              // nanoseconds

	mu      sync.Mutex // guards the fields below
	ids     []string
	arrived []time.Time // of signups, while timed
	kinds   map[string]int
	ready   string // data of the opening frame
	retry   time.Duration
	inFrame bool // a frame has begun and not ended
	err     error
	endAt   time.Time
	status  int
}

// openReaders opens n streams and waits until each has its first event. Each reads until its stream ends.
func openReaders(t testing.TB, s server, n int, query string) *readers {
	t.Helper()
	c := &readers{}
	opened := make(chan error, n)
	limit := make(chan struct{}, 64)
	t.Cleanup(c.close)
	for range n {
		r := &reader{of: c, kinds: map[string]int{}, close: func() {}}
		c.all = append(c.all, r)
		c.open.Add(1)
		c.done.Go(func() {
			defer c.open.Add(-1)
			limit <- struct{}{}
			conn, err := s.dialRaw(nil, streamRequest(query))
			<-limit
			if err != nil {
				opened <- err
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Time{})
			r.close = func() { conn.Close() }
			r.slow = func(pause time.Duration) {
				conn.SetReadBuffer(1)
				r.pause.Store(int64(pause))
			}
			resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 4<<10), nil)
			if err != nil {
				opened <- err
				return
			}
			r.status = resp.StatusCode
			r.read(newEventReader(resp.Body, ""), opened)
		})
	}
	for range n {
		if err := <-opened; err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *readers) close() {
	for _, r := range c.all {
		r.close()
	}
	c.done.Wait()
}

func (r *reader) read(events *eventReader, opened chan<- error) {
	for first := true; ; {
		e, err := events.next()
		if e.kind == heartbeat {
			continue
		}
		r.take(e, err, events)
		if first {
			first = false
			opened <- err
		}
		if err != nil {
			return
		}
		if events.lines.Buffered() == 0 {
			time.Sleep(time.Duration(r.pause.Load()))
		}
	}
}

// take records an event, or the end of the stream.
func (r *reader) take(e event, err error, events *eventReader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retry, r.inFrame = events.retry, events.inFrame
	if err != nil {
		r.err, r.endAt = err, time.Now()
		return
	}
	r.kinds[e.kind]++
	switch e.kind {
	case "ready":
		r.ready = e.data
	case "signup":
		r.ids = append(r.ids, e.id)
		if r.of.timed.Load() {
			r.arrived = append(r.arrived, e.at)
		}
		r.of.arrived.Add(1)
	}
}

// await waits until n signups have arrived at each reader.
func (c *readers) await(t testing.TB, n int, within time.Duration) {
	t.Helper()
	want := int64(n * len(c.all))
	until(t, within, func() bool { return c.arrived.Load() >= want }, func() string {
		return fmt.Sprintf("%d of %d signups arrived, %d of %d streams are open", c.arrived.Load(), want, c.open.Load(), len(c.all))
	})
}

// ended waits until every stream has ended.
func (c *readers) ended(t testing.TB, within time.Duration) {
	t.Helper()
	until(t, within, func() bool { return c.open.Load() == 0 }, func() string {
		return fmt.Sprintf("%d of %d streams are open", c.open.Load(), len(c.all))
	})
	c.done.Wait()
}

// audit compares what each reader received with what was published: everything, in order, once, without a gap.
func (c *readers) audit(t testing.TB, want []string) {
	t.Helper()
	for i, r := range c.all {
		r.mu.Lock()
		if d := difference(r.ids, want); d != "" || strings.Contains(r.ready, `"gap"`) {
			t.Errorf("reader %d, opened with %s: %s", i, r.ready, d)
		}
		r.mu.Unlock()
	}
}
