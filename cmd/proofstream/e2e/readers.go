package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/stream/ssetest"
	"proofstream/stream/waitfor"
)

// Readers are subscribers of one site that do not reconnect. They need less memory than Sources, so there can be thousands.
type Readers struct {
	All     []*Reader
	Arrived atomic.Int64 // signups received, by all readers together
	Open    atomic.Int64 // streams that have not ended
	Timed   atomic.Bool  // readers record when signups arrive
	done    sync.WaitGroup
}

// Reader is one of Readers. Mu must be held to read its fields while the stream is open.
type Reader struct {
	of    *Readers
	close func()
	Slow  func(delay time.Duration) // delays each read, and makes the kernel's receive buffer small
	delay atomic.Int64              // a time.Duration

	Mu      sync.Mutex     // guards the fields below
	IDs     []string       // of signups
	Arrived []time.Time    // of signups, while Timed is set
	Kinds   map[string]int // events by kind
	ready   string         // data of the ready event
	Retry   time.Duration  // newest retry field
	InFrame bool           // the stream is in the middle of a frame
	Err     error          // how the stream ended
	EndAt   time.Time      // when the stream ended
	Status  int            // of the response
}

// OpenReaders opens n streams, at most 64 at a time, and returns when each has its first event. Each reads until its stream ends, at
// the latest with the test.
func OpenReaders(t testing.TB, s Server, n int, query string, headers ...string) *Readers {
	t.Helper()
	c := &Readers{}
	opened := make(chan error, n)
	limit := make(chan struct{}, 64)
	t.Cleanup(c.Close)
	for range n {
		r := &Reader{of: c, Kinds: map[string]int{}, close: func() {}}
		c.All = append(c.All, r)
		c.Open.Add(1)
		c.done.Go(func() {
			defer c.Open.Add(-1)
			limit <- struct{}{}
			conn, err := s.DialRaw(nil, StreamRequest(query, headers...))
			<-limit
			if err != nil {
				opened <- err
				return
			}
			defer conn.Close()
			r.run(conn, opened)
		})
	}
	for range n {
		if err := <-opened; err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// Close disconnects all readers and waits for the ends of their goroutines.
func (c *Readers) Close() {
	for _, r := range c.All {
		r.close()
	}
	c.done.Wait()
}

// run reads a stream until its end. It sends the error of the first event, or nil, to opened.
func (r *Reader) run(conn *net.TCPConn, opened chan<- error) {
	conn.SetDeadline(time.Time{})
	r.close = func() { conn.Close() }
	r.Slow = func(delay time.Duration) {
		conn.SetReadBuffer(1)
		r.delay.Store(int64(delay))
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 4<<10), nil)
	if err != nil {
		opened <- err
		return
	}
	r.Status = resp.StatusCode
	r.read(ssetest.NewReader(slowBody{resp.Body, &r.delay}, ""), opened)
}

// slowBody delays each read.
type slowBody struct {
	io.Reader
	delay *atomic.Int64 // a time.Duration
}

func (b slowBody) Read(p []byte) (int, error) {
	time.Sleep(time.Duration(b.delay.Load()))
	return b.Reader.Read(p)
}

func (r *Reader) read(events *ssetest.Reader, opened chan<- error) {
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
func (r *Reader) take(e ssetest.Event, err error, events *ssetest.Reader) {
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

// Await waits until the readers have received n signups each, on average; Audit checks each of them.
func (c *Readers) Await(t testing.TB, n int, within time.Duration) {
	t.Helper()
	want := int64(n * len(c.All))
	waitfor.Until(t, within, func() bool { return c.Arrived.Load() >= want }, func() string {
		return fmt.Sprintf("%d of %d signups arrived, %d of %d streams are open", c.Arrived.Load(), want, c.Open.Load(), len(c.All))
	})
}

// Ended waits until all streams have ended.
func (c *Readers) Ended(t testing.TB, within time.Duration) {
	t.Helper()
	waitfor.Until(t, within, func() bool { return c.Open.Load() == 0 }, func() string {
		return fmt.Sprintf("%d of %d streams are open", c.Open.Load(), len(c.All))
	})
	c.done.Wait()
}

// Audit checks that each reader has received exactly the signups want, in order, and no gap.
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
