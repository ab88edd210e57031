package e2e

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

	"proofstream/stream/ssetest"
	"proofstream/stream/waitfor"
)

// Source is a client of an event stream that records what it receives.
type Source struct {
	url    string
	client *http.Client
	header http.Header
	// longest bounds the delay before a reconnection, whatever the stream's retry field says.
	longest time.Duration

	cancel context.CancelFunc
	done   chan struct{}

	Mu         sync.Mutex      // guards the fields below
	Events     []ssetest.Event // without heartbeats
	LastID     string          // last event id, as the next connection sends it
	Retry      time.Duration   // newest retry field; 0 when there was none
	open       bool
	Conns      int         // connections with status 200
	Ends       []End       // how each connection has ended
	Heartbeats []time.Time // when each heartbeat arrived
	Head       http.Header // response header of the newest connection
	Proto      int         // major HTTP version of the newest connection
}

// End says how a connection, or an attempt to connect, ended.
type End struct {
	Status int   // 0 without a response
	Err    error // nil after a clean end
}

// Listen opens one stream that does not reconnect, and returns when its response header has arrived or the attempt has failed. The
// query starts with a question mark, or is empty; headers have the form "Name: value".
func (s Server) Listen(t testing.TB, query string, headers ...string) *Source {
	t.Helper()
	l := s.Source(query, headers...)
	l.Start(t, false)
	l.Await(t, "a response", func() bool { return l.Conns > 0 || len(l.Ends) > 0 })
	return l
}

// Follow opens a stream that reconnects as an EventSource does, from its last id, but after at most 50 ms. It returns after the first
// event.
func (s Server) Follow(t testing.TB, query string, headers ...string) *Source {
	t.Helper()
	l := s.Source(query, headers...)
	l.Start(t, true)
	l.Await(t, "the opening frame", func() bool { return len(l.Events) > 0 })
	return l
}

// Source returns a client of the server's stream that is not connected yet. See Listen for the parameters.
func (s Server) Source(query string, headers ...string) *Source {
	l := &Source{
		url:     s.URL + "/events" + query,
		client:  s.Client,
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

// Start connects and reads until the test ends, with reconnect as Follow does, otherwise as Listen.
func (s *Source) Start(t testing.TB, reconnect bool) {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	t.Cleanup(s.Close)
	go func() {
		defer close(s.done)
		for {
			e := s.connect(ctx)
			s.Mu.Lock()
			s.open, s.Ends = false, append(s.Ends, e)
			delay := min(max(s.Retry, time.Millisecond), s.longest)
			s.Mu.Unlock()
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

// connect opens one connection and reads it until its end.
func (s *Source) connect(ctx context.Context) End {
	r, err := http.NewRequestWithContext(ctx, "GET", s.url, nil)
	if err != nil {
		return End{Err: err}
	}
	r.Header = s.header.Clone()
	if s.LastID != "" { // written only on this goroutine
		r.Header.Set("Last-Event-ID", s.LastID)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return End{Err: err}
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return End{Status: resp.StatusCode}
	}
	return s.read(resp)
}

// read records the events of one connection until its end.
func (s *Source) read(resp *http.Response) End {
	s.Mu.Lock()
	conn := s.Conns
	s.open, s.Conns, s.Head, s.Proto = true, s.Conns+1, resp.Header, resp.ProtoMajor
	s.Mu.Unlock()
	for events := ssetest.NewReader(resp.Body, s.LastID); ; {
		e, err := events.Next()
		s.Mu.Lock()
		s.LastID, s.Retry = events.LastID, events.Retry
		switch {
		case err != nil:
		case e.Kind == ssetest.Heartbeat:
			s.Heartbeats = append(s.Heartbeats, e.At)
		default:
			e.Conn = conn
			s.Events = append(s.Events, e)
		}
		s.Mu.Unlock()
		if err == io.EOF {
			return End{Status: 200}
		}
		if err != nil {
			return End{Status: 200, Err: err}
		}
	}
}

// Close disconnects the client and waits for the end of its goroutine.
func (s *Source) Close() {
	s.cancel()
	<-s.done
}

// Ended waits until the first connection has ended, and returns how.
func (s *Source) Ended(t testing.TB) End {
	t.Helper()
	s.Await(t, "the end of the stream", func() bool { return len(s.Ends) > 0 })
	return s.AllEnds()[0]
}

// AwaitOpen waits until a connection is open.
func (s *Source) AwaitOpen(t testing.TB) {
	t.Helper()
	s.Await(t, "an open stream", func() bool { return s.open })
}

// AllEnds returns how each connection so far has ended, in order.
func (s *Source) AllEnds() []End {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return slices.Clone(s.Ends)
}

// Await waits until ready returns true, up to waitfor.Patience. It calls ready with Mu held.
func (s *Source) Await(t testing.TB, what string, ready func() bool) {
	t.Helper()
	waitfor.Until(t, waitfor.Patience, func() bool {
		s.Mu.Lock()
		defer s.Mu.Unlock()
		return ready()
	}, func() string {
		s.Mu.Lock()
		defer s.Mu.Unlock()
		return fmt.Sprintf("no %s; %d events, the newest %+v, and ends %v", what, len(s.Events), s.Events[max(0, len(s.Events)-3):], s.Ends)
	})
}

// Received returns a copy of the events so far.
func (s *Source) Received() []ssetest.Event {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return slices.Clone(s.Events)
}

// AwaitEvents waits for n events of a kind, and returns all of that kind so far, which may be more.
func (s *Source) AwaitEvents(t testing.TB, kind string, n int) (events []ssetest.Event) {
	t.Helper()
	s.Await(t, fmt.Sprintf("%d events %q", n, kind), func() bool {
		events = OfKind(s.Events, kind)
		return len(events) >= n
	})
	return events
}

// Ready waits for the first ready event and returns it.
func (s *Source) Ready(t testing.TB) ssetest.Event {
	t.Helper()
	return s.AwaitEvents(t, "ready", 1)[0]
}
