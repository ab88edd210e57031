package main

import (
	"errors"
	"io"
	"net/http"
)

// received handles bytes of subscriber i. It implements handler.
func (p *pool) received(i int, b []byte, now int64) {
	sub := &p.subs[i]
	if sub.awaitingHead {
		body, status, err := sub.takeHead(b)
		if err != nil {
			p.fail(i, err)
			return
		}
		if status != 0 && status != http.StatusOK {
			p.fail(i, errors.New(statusProblem(status)))
			return
		}
		b = body
	}
	if err := p.receivedBody(sub, b, now); err != nil {
		p.fail(i, err)
	}
}

// receivedBody returns io.EOF at the end of a chunked body.
func (p *pool) receivedBody(sub *subscriber, b []byte, now int64) error {
	for len(b) > 0 {
		payload, rest := b, []byte(nil)
		if sub.chunked {
			var err error
			if payload, rest, err = sub.chunks.next(b); err != nil {
				return err
			}
		}
		for f, more, ok := sub.scan.next(payload, p.tags); ok; f, more, ok = sub.scan.next(more, p.tags) {
			p.receivedFrame(sub, f, now)
		}
		b = rest
	}
	if sub.chunks.state == chunkLast {
		return io.EOF
	}
	return nil
}

func (p *pool) receivedFrame(sub *subscriber, f frame, now int64) {
	if len(f.id) > 0 {
		sub.id = append(sub.id[:0], f.id...)
	}
	switch {
	case f.kind == kindReady && sub.state == stateConnecting:
		p.setState(sub, stateReady)
		p.lastReady = now
		_ = p.joins.RecordValue(max(1, (now-sub.opened)/1e3))
	case f.kind == kindBusy:
		p.counts.Busy++
		p.setState(sub, stateBusy)
	case f.tagged && f.tag.publisher < len(p.publishers):
		if sub.observe(f.tag, p.publishers, &p.counts) {
			p.lastEvent = now
			due := p.publishers[f.tag.publisher].due[f.tag.seq%maxInFlight].Load()
			_ = p.latency.RecordValue(max(1, (now-due)/1e3))
		}
	case f.kind == kindSignup:
		p.counts.Unexpected++
	}
}

// ended handles the end of subscriber i's connection: like a browser, the subscriber reconnects
// with its last id. It implements handler.
func (p *pool) ended(i int, err error) {
	sub := &p.subs[i]
	delay := reconnectDelay
	switch sub.state {
	case stateReady:
		p.counts.Dropped++
		p.problem = "the server ended a stream"
		if !errors.Is(err, io.EOF) {
			p.problem = "a stream broke: " + err.Error()
		}
	case stateConnecting:
		p.counts.Failed++
		p.problem = "a subscriber could not connect: " + err.Error()
	case stateBusy:
		delay = reconnectIfBusy
	}
	p.setState(sub, stateIdle)
	p.retries = append(p.retries, retry{clock() + int64(delay), i})
}

// fail closes the connection of subscriber i because of an error that we found.
func (p *pool) fail(i int, err error) {
	p.transport.close(i)
	p.ended(i, err)
}
