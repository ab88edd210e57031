package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/stream/ssetest"
	"proofstream/stream/waitfor"
)

// Readers are many subscribers of one site that do not reconnect.
type Readers struct {
	All     []*reader
	Arrived atomic.Int64 // signups, at all readers together
	Open    atomic.Int64 // streams that have not ended
	Timed   atomic.Bool  // readers record when signups arrive
	done    sync.WaitGroup
}

// reader is one of readers. Its fields may be read when its stream has ended, or with mu locked.
type reader struct {
	of    *Readers
	close func()
	Slow  func(pause time.Duration) // pauses after each batch that it reads, and the kernel buffers little for it
	pause atomic.Int64              // nanoseconds

	Mu      sync.Mutex // guards the fields below
	IDs     []string
	Arrived []time.Time // of signups, while timed
	Kinds   map[string]int
	ready   string // data of the opening frame
	Retry   time.Duration
	InFrame bool // a frame has begun and not ended
	Err     error
	EndAt   time.Time
	Status  int
}

// OpenReaders opens n streams and waits until each has its first event. Each reads until its stream ends.
func OpenReaders(t testing.TB, s Server, n int, query string) *Readers {
	t.Helper()
	c := &Readers{}
	opened := make(chan error, n)
	limit := make(chan struct{}, 64)
	t.Cleanup(c.Close)
	for range n {
		r := &reader{of: c, Kinds: map[string]int{}, close: func() {}}
		c.All = append(c.All, r)
		c.Open.Add(1)
		c.done.Go(func() {
			defer c.Open.Add(-1)
			limit <- struct{}{}
			conn, err := s.DialRaw(nil, StreamRequest(query))
			<-limit
			if err != nil {
				opened <- err
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Time{})
			r.close = func() { conn.Close() }
			r.Slow = func(pause time.Duration) {
				conn.SetReadBuffer(1)
				r.pause.Store(int64(pause))
			}
			resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 4<<10), nil)
			if err != nil {
				opened <- err
				return
			}
			r.Status = resp.StatusCode
			r.read(ssetest.NewReader(slowBody{resp.Body, &r.pause}, ""), opened)
		})
	}
	for range n {
		if err := <-opened; err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *Readers) Close() {
	for _, r := range c.All {
		r.close()
	}
	c.done.Wait()
}

// slowBody waits before each read.
type slowBody struct {
	io.Reader
	delay *atomic.Int64 // a time.Duration
}

func (b slowBody) Read(p []byte) (int, error) {
	time.Sleep(time.Duration(b.delay.Load()))
	return b.Reader.Read(p)
}

func (r *reader) read(events *ssetest.Reader, opened chan<- error) {
	for first := true; ; {
		e, err := events.Next()
		if e.Kind == ssetest.Heartbeat {
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
	}
}

// take records an event, or the end of the stream.
func (r *reader) take(e ssetest.Event, err error, events *ssetest.Reader) {
	r.Mu.Lock()
	defer r.Mu.Unlock()
	r.Retry, r.InFrame = events.Retry, events.InFrame
	if err != nil {
		r.Err, r.EndAt = err, time.Now()
		return
	}
	r.Kinds[e.Kind]++
	switch e.Kind {
	case "ready":
		r.ready = e.Data
	case "signup":
		r.IDs = append(r.IDs, e.ID)
		if r.of.Timed.Load() {
			r.Arrived = append(r.Arrived, e.At)
		}
		r.of.Arrived.Add(1)
	}
}

// Await waits until n signups have arrived at each reader.
func (c *Readers) Await(t testing.TB, n int, within time.Duration) {
	t.Helper()
	want := int64(n * len(c.All))
	waitfor.Until(t, within, func() bool { return c.Arrived.Load() >= want }, func() string {
		return fmt.Sprintf("%d of %d signups arrived, %d of %d streams are open", c.Arrived.Load(), want, c.Open.Load(), len(c.All))
	})
}

// Ended waits until every stream has ended.
func (c *Readers) Ended(t testing.TB, within time.Duration) {
	t.Helper()
	waitfor.Until(t, within, func() bool { return c.Open.Load() == 0 }, func() string {
		return fmt.Sprintf("%d of %d streams are open", c.Open.Load(), len(c.All))
	})
	c.done.Wait()
}

// Audit compares what each reader received with what was published: everything, in order, once, without a gap.
func (c *Readers) Audit(t testing.TB, want []string) {
	t.Helper()
	for i, r := range c.All {
		r.Mu.Lock()
		if d := Difference(r.IDs, want); d != "" || strings.Contains(r.ready, `"gap"`) {
			t.Errorf("reader %d, opened with %s: %s", i, r.ready, d)
		}
		r.Mu.Unlock()
	}
}
