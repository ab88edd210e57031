package natslog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// Read asks any replica for a batch of messages: that needs no consumer. The leader then says how far the log reaches, and
// gives what a replica that lags did not have.
//
// The bounds are taken after the events: an older low watermark could pass a removal off as an erasure.
func (l *Log) Read(ctx context.Context, siteName string, after uint64, limit int) ([]stream.Event, stream.Bounds, error) {
	s, err := l.site(ctx, siteName)
	if err != nil {
		return nil, stream.Bounds{}, fmt.Errorf("read: %w", err)
	}
	r, err := l.batch(ctx, s, "*.*", after, limit)
	if err != nil {
		return nil, stream.Bounds{}, fmt.Errorf("read: %w", err)
	}
	b, err := l.bounds(ctx, s)
	if err == nil && len(r.events) < limit && r.last < b.High {
		high := b.High
		if err = l.complete(ctx, s, "*.*", high, limit, &r); err == nil {
			b, err = l.bounds(ctx, s)
			b.High = high // what came since is not in r
		}
	}
	if err != nil {
		return nil, stream.Bounds{}, fmt.Errorf("read: %w", err)
	}
	if n := len(r.events); n > 0 { // a leader that was just elected may not know of the newest yet
		b.High = max(b.High, r.events[n-1].ID.Seq)
	}
	return clip(r.events, after, &b), b, nil
}

// clip makes events and later bounds those of one moment. Events without a hole from the first that was asked for prove that nothing
// had been removed; of others, none is returned that may follow a removal.
func clip(events []stream.Event, after uint64, b *stream.Bounds) []stream.Event {
	n := uint64(len(events))
	if n > 0 && events[n-1].ID.Seq == after+n {
		b.Low = min(b.Low, after+1)
		return events
	}
	return slices.DeleteFunc(events, func(e stream.Event) bool { return e.ID.Seq < b.Low })
}

// Latest walks back from before in growing windows of sequences, each read as Read does.
func (l *Log) Latest(ctx context.Context, siteName string, before uint64, limit int) ([]stream.Event, stream.Bounds, error) {
	s, err := l.site(ctx, siteName)
	if err != nil {
		return nil, stream.Bounds{}, fmt.Errorf("latest: %w", err)
	}
	b, err := l.bounds(ctx, s)
	if before == 0 || before > b.High {
		before = b.High + 1
	}
	var newest []stream.Event
	for window := uint64(limit) + 16; err == nil && len(newest) < limit && before > b.Low; window = min(4*window, 4096) {
		first := before - min(window, before-b.Low)
		var r batch
		if r, err = l.window(ctx, s, first, before-1); err == nil {
			slices.Reverse(r.events)
			newest, before = append(newest, r.events...), first
		}
	}
	if err != nil {
		return nil, b, fmt.Errorf("latest: %w", err)
	}
	now, err := l.bounds(ctx, s)
	if err != nil {
		return nil, b, fmt.Errorf("latest: %w", err)
	}
	b.Low = now.Low
	newest = slices.DeleteFunc(newest, func(e stream.Event) bool { return e.ID.Seq < b.Low })
	return newest[:min(limit, len(newest))], b, nil
}

// window returns the signups with sequences from first to last.
func (l *Log) window(ctx context.Context, s *site, first, last uint64) (batch, error) {
	size := int(last - first + 1)
	r, err := l.batch(ctx, s, verbs[stream.Announce]+".*", first-1, size)
	if err == nil && r.last < last {
		err = l.complete(ctx, s, verbs[stream.Announce]+".*", last, size, &r)
	}
	r.events = slices.DeleteFunc(r.events, func(e stream.Event) bool { return e.ID.Seq > last })
	return r, err
}

// batch is what was read, oldest first.
type batch struct {
	events []stream.Event
	last   uint64 // sequence up to which nothing is missing that the answering server had
	more   bool   // there were more
}

// batch returns at most max events from any replica. What one that lags does not have yet is missing at the end.
func (l *Log) batch(ctx context.Context, s *site, filter string, after uint64, max int) (all batch, err error) {
	all.last = after
	for all.more = true; all.more && len(all.events) < max; {
		var r batch
		err := persist(ctx, func(ctx context.Context) (err error) {
			r, err = l.direct(ctx, s, filter, all.last, max-len(all.events))
			return err
		})
		if err != nil {
			return all, err
		}
		all.events, all.last, all.more = append(all.events, r.events...), r.last, r.more
	}
	return all, nil
}

// direct returns what a replica sends at once, which it bounds by bytes, too.
func (l *Log) direct(ctx context.Context, s *site, filter string, after uint64, max int) (r batch, err error) {
	inbox := l.nc.NewRespInbox()
	sub, err := l.nc.SubscribeSync(inbox)
	if err != nil {
		return r, err
	}
	defer sub.Unsubscribe()
	question := fmt.Appendf(nil, `{"seq":%d,"next_by_subj":"%s%s","batch":%d}`, after+1, s.subject, filter, max)
	if err := l.nc.PublishRequest("$JS.API.DIRECT.GET."+s.stream, inbox, question); err != nil {
		return r, err
	}
	r.last = after
	for before := uint64(0); ; {
		msg, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return r, err
		}
		switch status := msg.Header.Get("Status"); status {
		case "":
		case "204": // end of batch
			left := msg.Header.Get("Nats-Num-Pending")
			r.more = left != "" && left != "0" && before > 0
			return r, nil
		case "404":
			return r, nil
		default:
			return r, fmt.Errorf("direct get: %s %s", status, msg.Header.Get("Description"))
		}
		// Each message names its predecessor, so that one lost on the way is noticed.
		if previous := msg.Header.Get(jetstream.LastSequenceHeader); previous != strconv.FormatUint(before, 10) {
			return r, fmt.Errorf("direct get: message after %d came after %s: %w", before, previous, errAgain)
		}
		seq, err1 := strconv.ParseUint(msg.Header.Get(jetstream.SequenceHeader), 10, 64)
		at, err2 := time.Parse(time.RFC3339Nano, msg.Header.Get(jetstream.TimeStampHeaer))
		if err := errors.Join(err1, err2); err != nil {
			return r, fmt.Errorf("direct get: %w", err)
		}
		before, r.last = seq, seq
		if e, ok := s.event(msg.Header.Get(jetstream.SubjectHeader), seq, at, msg.Header, msg.Data); ok {
			r.events = append(r.events, e)
		}
	}
}

// stored is a message as the leader of the stream tells it.
type stored struct {
	Message struct {
		Subject string    `json:"subject"`
		Seq     uint64    `json:"seq"`
		Header  []byte    `json:"hdrs"`
		Data    []byte    `json:"data"`
		Time    time.Time `json:"time"`
	} `json:"message"`
}

// complete adds to r what the leader has up to a sequence, and at most until there are max events.
func (l *Log) complete(ctx context.Context, s *site, filter string, high uint64, max int, r *batch) error {
	for len(r.events) < max && r.last < high {
		var m stored
		err := persist(ctx, func(ctx context.Context) error {
			question := fmt.Sprintf(`{"seq":%d,"next_by_subj":"%s%s"}`, r.last+1, s.subject, filter)
			err := l.ask(ctx, "MSG.GET", s.stream, question, &m)
			if code(err) == jetstream.JSErrCodeMessageNotFound {
				return stream.ErrNotFound
			}
			return err
		})
		if errors.Is(err, stream.ErrNotFound) || err == nil && m.Message.Seq > high {
			r.last = high
			return nil
		}
		if err != nil {
			return err
		}
		header, err := nats.DecodeHeadersMsg(m.Message.Header)
		if err != nil && len(m.Message.Header) > 0 {
			return unavailable(err)
		}
		if e, ok := s.event(m.Message.Subject, m.Message.Seq, m.Message.Time, header, m.Message.Data); ok {
			r.events = append(r.events, e)
		}
		r.last = m.Message.Seq
	}
	return nil
}

// timeHeader holds the time of an event that was copied from an embedded log, in Unix milliseconds.
const timeHeader = "Proofstream-Time"

// event returns the event that a message holds. A message of somebody else on our subjects is none.
func (s *site) event(subject string, seq uint64, at time.Time, header nats.Header, data []byte) (e stream.Event, ok bool) {
	verb, _, _ := strings.Cut(strings.TrimPrefix(subject, s.subject), ".")
	kind := slices.Index(verbs[:], verb)
	if kind < 0 {
		return e, false
	}
	if ms, err := strconv.ParseInt(header.Get(timeHeader), 10, 64); err == nil {
		at = time.UnixMilli(ms)
	}
	return stream.Event{ID: s.reached(seq), Kind: stream.Kind(kind), Time: at.UTC().Truncate(time.Millisecond), Data: data}, true
}
