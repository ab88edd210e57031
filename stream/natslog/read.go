package natslog

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"proofstream/stream"
)

// Read returns events from any replica, which needs no consumer, and completes them from the leader of the stream. A
// limit below 1 returns no event.
//
// The bounds are taken after the events: an older low watermark could pass a removal off as an erasure.
func (l *Log) Read(ctx context.Context, siteName string, after uint64, limit int) ([]stream.Event, stream.Bounds, error) {
	s, err := l.site(ctx, siteName)
	if err != nil {
		return nil, stream.Bounds{}, fmt.Errorf("read: %w", err)
	}
	r, err := l.batch(ctx, s, "*.*", after, limit)
	var b stream.Bounds
	if err == nil {
		r.events, b, err = l.finish(ctx, s, after, limit, r)
	}
	if err != nil {
		return nil, stream.Bounds{}, fmt.Errorf("read: %w", err)
	}
	return r.events, b, nil
}

// finish adds to r what the replica did not have yet, and takes away what retention has removed meanwhile, until there are limit events or
// all up to the high watermark of now.
func (l *Log) finish(ctx context.Context, s *site, after uint64, limit int, r batch) ([]stream.Event, stream.Bounds, error) {
	for high := uint64(0); ; {
		b, err := l.bounds(ctx, s)
		if err != nil {
			return nil, b, err
		}
		if high == 0 {
			high = b.High
		}
		r.events = clip(r.events, after, &b)
		if len(r.events) >= limit || r.last >= high {
			b.High = high // what came since is not in r
			if n := len(r.events); n > 0 {
				b.High = max(high, r.events[n-1].ID.Seq) // a leader that was just elected may not have the newest yet
			}
			return r.events, b, nil
		}
		if err := l.complete(ctx, s, "*.*", high, limit, &r); err != nil {
			return nil, b, err
		}
	}
}

// clip makes events, and the bounds from after they were read, those of one moment. When the events have no gap in their sequences, nothing
// had been removed at the time of the read, and the older low watermark holds. Otherwise those below the low watermark are left out.
func clip(events []stream.Event, after uint64, b *stream.Bounds) []stream.Event {
	n := uint64(len(events))
	if n > 0 && events[n-1].ID.Seq == after+n {
		b.Low = min(b.Low, after+1)
		return events
	}
	return slices.DeleteFunc(events, func(e stream.Event) bool { return e.ID.Seq < b.Low })
}

// timeHeader holds the time of an event that was copied from an embedded log, in Unix milliseconds.
const timeHeader = "Proofstream-Time"

// event returns the event in a message. ok is false for a message on our subjects that this package has not published.
func (s *site) event(subject string, seq uint64, at time.Time, header nats.Header, data []byte) (e stream.Event, ok bool) {
	verb, _, _ := strings.Cut(strings.TrimPrefix(subject, s.subject), ".")
	kind := slices.Index(verbs[:], verb)
	if kind < 0 {
		return e, false
	}
	if ms, err := strconv.ParseInt(header.Get(timeHeader), 10, 64); err == nil {
		at = time.UnixMilli(ms)
	}
	return stream.Event{ID: s.advance(seq), Kind: stream.Kind(kind), Time: at.UTC().Truncate(time.Millisecond), Data: data}, true
}
