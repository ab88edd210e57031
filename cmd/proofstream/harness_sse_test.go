package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// event is what a page's listener would get.
type event struct {
	kind, data string
	id         string // the last id when it was dispatched
	conn       int    // on which connection of its source, from 0
	at         time.Time
}

// signup returns the value of a member of the event's data, as it stands between quotes.
func (e event) field(name string) string { return jsonField(e.data, name) }

// jsonField is field for any line of JSON.
func jsonField(line, name string) string {
	_, rest, found := strings.Cut(line, `"`+name+`":"`)
	if !found {
		return ""
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// parser reads an event stream line by line as the WHATWG HTML standard says in section 9.2.6, and from
// nothing of ours. What is pending when a stream ends is dropped with it.
type parser struct {
	lastID         string
	retry          time.Duration // asked for; 0 when never
	data, kind, id string
}

// line takes one line, without its end, and returns the event that it dispatches, if any.
func (p *parser) line(line string) (e event, dispatched bool) {
	if line == "" {
		p.lastID = p.id
		e = event{kind: p.kind, data: strings.TrimSuffix(p.data, "\n"), id: p.lastID, at: time.Now()}
		dispatched = p.data != ""
		if e.kind == "" {
			e.kind = "message"
		}
		p.data, p.kind = "", ""
		return e, dispatched
	}
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "event":
		p.kind = value
	case "data":
		p.data += value + "\n"
	case "id":
		if !strings.Contains(value, "\x00") {
			p.id = value
		}
	case "retry":
		if n, err := strconv.Atoi(value); err == nil && strings.Trim(value, "0123456789") == "" {
			p.retry = time.Duration(n) * time.Millisecond
		}
	}
	return event{}, false
}

// source is a client of an event stream.
type source struct {
	client *http.Client
	header http.Header
	// url is asked for before each connection: a service may come back elsewhere.
	url func() string
	// longest bounds the delay before a reconnection, whatever was asked for.
	longest time.Duration

	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	events []event
	lastID string
	retry  time.Duration
	conns  int         // begun with status 200
	ends   []end       // of connections
	beats  []time.Time // when comments came
	more   chan struct{}
	head   http.Header // of the newest connection
}

// end is how a connection, or the try to make one, ended.
type end struct {
	status int   // 0 when there was none
	err    error // nil after a clean end
	at     time.Time
}

// listen opens one stream, without reconnecting, and returns once its answer has begun. Headers are
// "Name: value".
func (p *program) listen(t testing.TB, query string, headers ...string) *source {
	t.Helper()
	s := newSource(func() string { return p.url + "/events" + query }, headers...)
	s.start(t, false)
	s.await(t, "an answer", func() bool { return s.conns > 0 || len(s.ends) > 0 })
	return s
}

// follow opens a stream that reconnects for ever as an EventSource does, from its last id, but with a delay
// of 50 ms at most.
func (p *program) follow(t testing.TB, query string, headers ...string) *source {
	t.Helper()
	s := newSource(func() string { return p.url + "/events" + query }, headers...)
	s.start(t, true)
	s.await(t, "the opening frame", func() bool { return len(s.events) > 0 })
	return s
}

func newSource(url func() string, headers ...string) *source {
	s := &source{
		client:  &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}},
		header:  http.Header{"Accept": {"text/event-stream"}},
		url:     url,
		longest: 50 * time.Millisecond,
		done:    make(chan struct{}),
		more:    make(chan struct{}),
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		s.header.Set(name, value)
	}
	return s
}

// start begins to read, until the test ends.
func (s *source) start(t testing.TB, reconnect bool) {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	t.Cleanup(s.close)
	go func() {
		defer close(s.done)
		for {
			s.connect(ctx)
			s.mu.Lock()
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

func (s *source) connect(ctx context.Context) {
	var e end
	defer func() {
		e.at = time.Now()
		s.change(func() { s.ends = append(s.ends, e) })
	}()
	r, err := http.NewRequestWithContext(ctx, "GET", s.url(), nil)
	if err != nil {
		e.err = err
		return
	}
	r.Header = s.header.Clone()
	if s.lastID != "" { // written only on this goroutine
		r.Header.Set("Last-Event-ID", s.lastID)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		e.err = err
		return
	}
	defer resp.Body.Close()
	e.status = resp.StatusCode
	if e.status != 200 {
		return
	}
	conn := 0
	s.change(func() { conn, s.conns, s.head = s.conns, s.conns+1, resp.Header })
	p := parser{lastID: s.lastID, id: s.lastID}
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			if err.Error() != "EOF" {
				e.err = err
			}
			return
		}
		if line == ":\n" {
			s.change(func() { s.beats = append(s.beats, time.Now()) })
			continue
		}
		if got, ok := p.line(strings.TrimSuffix(line, "\n")); ok {
			got.conn = conn
			s.change(func() { s.events = append(s.events, got) })
		}
		s.change(func() { s.lastID, s.retry = p.lastID, p.retry })
	}
}

func (s *source) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.more)
	s.more = make(chan struct{})
}

// close ends the stream from the client's side, and waits for that.
func (s *source) close() {
	s.cancel()
	<-s.done
}

// ended waits until the one connection of listen has ended, and tells how.
func (s *source) ended(t testing.TB) end {
	t.Helper()
	s.await(t, "the end of the stream", func() bool { return len(s.ends) > 0 })
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ends[0]
}

// await waits until ready returns true; it is asked with the source locked, after each change.
func (s *source) await(t testing.TB, what string, ready func() bool) {
	t.Helper()
	for deadline := time.After(patience); ; {
		s.mu.Lock()
		ok, more := ready(), s.more
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-more:
		case <-deadline:
			s.mu.Lock()
			defer s.mu.Unlock()
			t.Fatalf("no %s within %v; there were %d events, the newest %+v, and ends %v",
				what, patience, len(s.events), newest(s.events), s.ends)
		}
	}
}

func newest(events []event) []event { return events[max(0, len(events)-3):] }

// seen returns the events so far.
func (s *source) seen() []event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]event(nil), s.events...)
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

// ready returns the opening frame's event of the newest connection.
func (s *source) ready(t testing.TB) event {
	t.Helper()
	return s.awaitEvents(t, "ready", 1)[0]
}

func ofKind(all []event, kind string) (events []event) {
	for _, e := range all {
		if e.kind == kind {
			events = append(events, e)
		}
	}
	return events
}

// ids returns the ids of events.
func ids(events []event) (ids []string) {
	for _, e := range events {
		ids = append(ids, e.id)
	}
	return ids
}

// sortIDs puts ids into the order of their sequences.
func sortIDs(ids []string) {
	slices.SortFunc(ids, func(a, b string) int { return sequence(a) - sequence(b) })
}
