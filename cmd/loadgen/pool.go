package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// pool is all subscribers. Only the goroutine that calls poll may use it.
type pool struct {
	transport  transport
	target     *target
	site       string
	tags       *tagCodec
	publishers []*publisher
	subs       []subscriber

	queue         []int       // subscribers to connect
	inState       [states]int // number of subscribers by state
	retries       []retry
	caughtUpCount int // every subscriber below this index was found caught up

	lastReady int64 // clock time of the latest ready frame
	lastEvent int64 // clock time of the latest event of this run
	counts    audit
	problem   string                  // the latest one
	joins     *hdrhistogram.Histogram // microseconds from connect to ready
	latency   *hdrhistogram.Histogram // microseconds from an event's due time to its arrival
}

// retry is a subscriber that reconnects at a clock time.
type retry struct {
	at int64
	i  int
}

const (
	// maxConnecting is how many connections are opened at a time, so that the server's accept queue does not overflow.
	maxConnecting = 1024

	// reconnectDelay is the delay before a reconnection after a stream ended or a connection failed.
	reconnectDelay = 500 * time.Millisecond

	// reconnectIfBusy is the delay before a reconnection after a "busy" frame.
	reconnectIfBusy = 5 * time.Second
)

// newPool returns n subscribers, none of them connected.
func newPool(t *target, site string, n int, c *tagCodec, publishers []*publisher) (*pool, error) {
	transport, err := newTransport(t, n)
	if err != nil {
		return nil, fmt.Errorf("prepare %d sockets: %w", n, err)
	}
	p := &pool{
		transport: transport, target: t, site: site, tags: c, publishers: publishers, subs: make([]subscriber, n),
		joins: newLatencies(), latency: newLatencies(),
	}
	p.inState[stateIdle] = n
	k := len(publishers)
	next := make([]uint32, n*k)
	for i := range p.subs {
		p.subs[i].next = next[i*k : (i+1)*k : (i+1)*k]
	}
	return p, nil
}

// join connects the first n subscribers as new ones, which do not expect earlier events.
func (p *pool) join(n int) {
	for i := range n {
		sub := &p.subs[i]
		sub.id, sub.order, sub.orderInvalid = nil, 0, false
		for k, pub := range p.publishers {
			sub.next[k] = pub.posted.Load()
		}
		p.queue = append(p.queue, i)
	}
}

// leave disconnects the first n subscribers and cancels all pending connections.
func (p *pool) leave(n int) {
	for i := range n {
		p.close(i)
	}
	p.queue, p.retries = nil, nil
}

// rejoin connects the first n subscribers with the last id each has seen.
func (p *pool) rejoin(n int) {
	for i := range n {
		p.queue = append(p.queue, i)
	}
}

// reconnect replaces the connection of subscriber i.
func (p *pool) reconnect(i int) {
	p.close(i)
	p.queue = append(p.queue, i)
}

func (p *pool) close(i int) {
	p.transport.close(i)
	p.setState(&p.subs[i], stateIdle)
}

func (p *pool) setState(sub *subscriber, to state) {
	p.inState[sub.state]--
	p.inState[to]++
	sub.state = to
}

// ready returns how many subscribers have received the ready frame of their connection.
func (p *pool) ready() int { return p.inState[stateReady] }

// poll opens connections that are due, waits at most d for sockets, and handles what arrived.
func (p *pool) poll(d time.Duration) error {
	now := clock()
	p.queueRetries(now)
	for len(p.queue) > 0 && p.inState[stateConnecting] < maxConnecting {
		p.open(p.queue[0], now)
		p.queue = p.queue[1:]
	}
	if err := p.transport.poll(d, p); err != nil {
		return fmt.Errorf("wait for subscribers' sockets: %w", err)
	}
	return nil
}

func (p *pool) queueRetries(now int64) {
	keep := p.retries[:0]
	for _, r := range p.retries {
		if r.at <= now {
			p.queue = append(p.queue, r.i)
		} else {
			keep = append(keep, r)
		}
	}
	p.retries = keep
}

func (p *pool) open(i int, now int64) {
	sub := &p.subs[i]
	if sub.state != stateIdle {
		return
	}
	sub.connect(now)
	p.setState(sub, stateConnecting)
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET /events?site=%s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\n", p.site, p.target.host)
	if len(sub.id) > 0 {
		fmt.Fprintf(&b, "Last-Event-ID: %s\r\n", sub.id)
	}
	b.WriteString("\r\n")
	p.transport.open(i, b.Bytes())
}
