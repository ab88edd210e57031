package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// source is a client of an event stream.
type source struct {
	url    string
	client *http.Client
	header http.Header
	// longest bounds the delay before a reconnection, whatever was asked for.
	longest time.Duration

	cancel context.CancelFunc
	done   chan struct{}

	mu         sync.Mutex // guards the fields below
	events     []event
	lastID     string
	retry      time.Duration
	conns      int         // begun with status 200
	ends       []end       // of connections
	heartbeats []time.Time // when they came
	head       http.Header // of the newest connection
	proto      int         // 2 of HTTP/2, of the newest connection
}

// end is how a connection, or an attempt at one, ended.
type end struct {
	status int   // 0 when there was none
	err    error // nil after a clean end
}

// listen opens one stream, without reconnecting, and returns once its answer has begun. Headers are "Name: value".
func (s server) listen(t testing.TB, query string, headers ...string) *source {
	t.Helper()
	l := s.source(query, headers...)
	l.start(t, false)
	l.await(t, "an answer", func() bool { return l.conns > 0 || len(l.ends) > 0 })
	return l
}

// follow opens a stream that reconnects for ever as an EventSource does, from its last id, but with a delay of 50 ms at
// most.
func (s server) follow(t testing.TB, query string, headers ...string) *source {
	t.Helper()
	l := s.source(query, headers...)
	l.start(t, true)
	l.await(t, "the opening frame", func() bool { return len(l.events) > 0 })
	return l
}

// source returns a client of the server's stream that is not connected yet.
func (s server) source(query string, headers ...string) *source {
	l := &source{
		url:     s.url + "/events" + query,
		client:  s.client,
		header:  http.Header{"Accept": {"text/event-stream"}},
		longest: 50 * time.Millisecond,
		done:    make(chan struct{}),
	}
	if l.client == nil {
		l.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		l.header.Set(name, value)
	}
	return l
}

// start begins to read, until the test ends.
func (s *source) start(t testing.TB, reconnect bool) {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	t.Cleanup(s.close)
	go func() {
		defer close(s.done)
		for {
			e := s.connect(ctx)
			s.mu.Lock()
			s.ends = append(s.ends, e)
			delay := min(max(s.retry, time.Millisecond), s.longest)
			s.mu.Unlock()
			if !reconnect {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(delay):
			}
		}
	}()
}

func (s *source) connect(ctx context.Context) end {
	r, err := http.NewRequestWithContext(ctx, "GET", s.url, nil)
	if err != nil {
		return end{err: err}
	}
	r.Header = s.header.Clone()
	if s.lastID != "" { // written only on this goroutine
		r.Header.Set("Last-Event-ID", s.lastID)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return end{err: err}
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return end{status: resp.StatusCode}
	}
	s.mu.Lock()
	conn := s.conns
	s.conns, s.head, s.proto = s.conns+1, resp.Header, resp.ProtoMajor
	s.mu.Unlock()
	for events := newEventReader(resp.Body, s.lastID); ; {
		e, err := events.next()
		s.mu.Lock()
		s.lastID, s.retry = events.lastID, events.retry
		switch {
		case err != nil:
		case e.kind == heartbeat:
			s.heartbeats = append(s.heartbeats, e.at)
		default:
			e.conn = conn
			s.events = append(s.events, e)
		}
		s.mu.Unlock()
		if err == io.EOF {
			return end{status: 200}
		}
		if err != nil {
			return end{status: 200, err: err}
		}
	}
}

// close ends the stream from the client's side, and waits for that.
func (s *source) close() {
	s.cancel()
	<-s.done
}

// ended waits until the one connection of listen has ended, and returns how.
func (s *source) ended(t testing.TB) end {
	t.Helper()
	s.await(t, "the end of the stream", func() bool { return len(s.ends) > 0 })
	return s.allEnds()[0]
}

// allEnds returns how each connection so far has ended.
func (s *source) allEnds() []end {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ends)
}

// await waits until ready returns true; it is called with the source locked.
func (s *source) await(t testing.TB, what string, ready func() bool) {
	t.Helper()
	until(t, patience, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return ready()
	}, func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		return fmt.Sprintf("no %s; %d events, the newest %+v, and ends %v", what, len(s.events), s.events[max(0, len(s.events)-3):], s.ends)
	})
}

// received returns the events so far.
func (s *source) received() []event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// awaitEvents waits for n events of a kind, and returns all of that kind.
func (s *source) awaitEvents(t testing.TB, kind string, n int) (events []event) {
	t.Helper()
	s.await(t, fmt.Sprintf("%d events %q", n, kind), func() bool {
		events = ofKind(s.events, kind)
		return len(events) >= n
	})
	return events
}

// ready waits for the first ready event and returns it.
func (s *source) ready(t testing.TB) event {
	t.Helper()
	return s.awaitEvents(t, "ready", 1)[0]
}
