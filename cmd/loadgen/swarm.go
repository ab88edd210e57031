package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// swarm is all subscribers. One goroutine drives it by calling poll; nothing here is locked.
type swarm struct {
	wire   wire
	target *target
	site   string
	marker *marker
	lanes  []*lane
	subs   []subscriber
	window int // connections under way at once

	queue   []int // subscribers that wait for the window
	opening int
	retries []retry
	settled int // every subscriber below this was found caught up

	live      int
	lastReady int64
	lastEvent int64
	counts    audit
	problem   string
	joins     *hdrhistogram.Histogram // microseconds from connect to ready
	latency   *hdrhistogram.Histogram // microseconds from the intended post to here
}

type retry struct {
	at int64
	i  int
}

const (
	retryAfter     = 500 * time.Millisecond
	retryAfterBusy = 5 * time.Second
)

func newSwarm(t *target, site string, n int, m *marker, lanes []*lane) (*swarm, error) {
	w, err := newWire(t, n)
	if err != nil {
		return nil, fmt.Errorf("prepare %d sockets: %w", n, err)
	}
	s := &swarm{
		wire: w, target: t, site: site, marker: m, lanes: lanes, subs: make([]subscriber, n),
		window: 1024, joins: newLatencies(), latency: newLatencies(),
	}
	places := make([]uint32, n*len(lanes))
	for i := range s.subs {
		s.subs[i].next = places[i*len(lanes) : (i+1)*len(lanes) : (i+1)*len(lanes)]
	}
	return s, nil
}

// join connects the first n subscribers as newcomers: what was posted before is not theirs.
func (s *swarm) join(n int) {
	for i := range n {
		sub := &s.subs[i]
		sub.id, sub.order, sub.flawed = nil, 0, false
		for lane, l := range s.lanes {
			sub.next[lane] = l.posted.Load()
		}
		s.queue = append(s.queue, i)
	}
}

// leave closes the first n subscribers; rejoin connects them with the last id each has seen.
func (s *swarm) leave(n int) {
	for i := range n {
		s.close(i)
	}
	s.queue, s.retries = nil, nil
}

func (s *swarm) rejoin(n int) {
	for i := range n {
		s.queue = append(s.queue, i)
	}
}

func (s *swarm) close(i int) {
	sub := &s.subs[i]
	s.wire.shut(i)
	switch sub.state {
	case stateLive:
		s.live--
	case stateOpening:
		s.opening--
	}
	sub.state = stateIdle
}

// poll opens what may be opened, waits at most d for something to happen, and takes it in.
func (s *swarm) poll(d time.Duration) error {
	now := clock()
	s.due(now)
	for len(s.queue) > 0 && s.opening < s.window {
		s.open(s.queue[0], now)
		s.queue = s.queue[1:]
	}
	return s.wire.poll(d, s)
}

func (s *swarm) due(now int64) {
	keep := s.retries[:0]
	for _, r := range s.retries {
		if r.at <= now {
			s.queue = append(s.queue, r.i)
		} else {
			keep = append(keep, r)
		}
	}
	s.retries = keep
}

func (s *swarm) open(i int, now int64) {
	sub := &s.subs[i]
	if sub.state != stateIdle {
		return
	}
	sub.connect(now)
	s.opening++
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET /events?site=%s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\n", s.site, s.target.host)
	if len(sub.id) > 0 {
		fmt.Fprintf(&b, "Last-Event-ID: %s\r\n", sub.id)
	}
	b.WriteString("\r\n")
	s.wire.open(i, b.Bytes())
}

// received is what the wire calls with bytes of subscriber i.
func (s *swarm) received(i int, b []byte, now int64) {
	sub := &s.subs[i]
	if sub.awaitHead {
		body, status, err := sub.takeHead(b)
		if err != nil {
			s.fail(i, err)
			return
		}
		if status != 0 && status != 200 {
			s.fail(i, errors.New(statusProblem(status)))
			return
		}
		b = body
	}
	for len(b) > 0 {
		payload, rest := b, []byte(nil)
		if sub.chunked {
			var err error
			if payload, rest, err = sub.chunks.next(b); err != nil {
				s.fail(i, err)
				return
			}
		}
		for f, more, ok := sub.scan.next(payload, s.marker); ok; f, more, ok = sub.scan.next(more, s.marker) {
			s.frame(sub, f, now)
		}
		b = rest
	}
	if sub.chunks.state == chunkLast {
		s.fail(i, io.EOF)
	}
}

func (s *swarm) frame(sub *subscriber, f frame, now int64) {
	if len(f.id) > 0 {
		sub.id = append(sub.id[:0], f.id...)
	}
	switch {
	case f.kind == kindReady && sub.state == stateOpening:
		sub.state = stateLive
		s.opening--
		s.live++
		s.lastReady = now
		_ = s.joins.RecordValue(max(1, (now-sub.opened)/1e3))
	case f.kind == kindBusy:
		s.counts.Shed++
		if sub.state == stateOpening {
			s.opening--
		} else {
			s.live--
		}
		sub.state = stateBusy
	case f.ours && f.mark.lane < len(s.lanes):
		if sub.observe(f.mark, s.lanes, &s.counts) {
			s.lastEvent = now
			meant := s.lanes[f.mark.lane].intended[f.mark.seq%laneMemory].Load()
			_ = s.latency.RecordValue(max(1, (now-meant)/1e3))
		}
	case f.kind == kindSignup:
		s.counts.Foreign++
	}
}

// ended is what the wire calls when the connection of subscriber i is over. Like a browser, the
// subscriber comes back with its last id.
func (s *swarm) ended(i int, err error) {
	sub := &s.subs[i]
	wait := retryAfter
	switch sub.state {
	case stateLive:
		s.live--
		s.counts.Dropped++
		s.problem = "the server ended a stream"
		if !errors.Is(err, io.EOF) {
			s.problem = "a stream broke: " + err.Error()
		}
	case stateOpening:
		s.opening--
		s.counts.Failed++
		s.problem = "a subscriber could not connect: " + err.Error()
	case stateBusy:
		wait = retryAfterBusy
	}
	sub.state = stateIdle
	s.retries = append(s.retries, retry{clock() + int64(wait), i})
}

func (s *swarm) fail(i int, err error) {
	s.wire.shut(i)
	s.ended(i, err)
}
