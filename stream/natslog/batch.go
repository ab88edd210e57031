package natslog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// batch is what was read, oldest first.
type batch struct {
	events []stream.Event
	last   uint64 // sequence up to which the events are all that the responding server had
	more   bool   // that server had more
}

// batch returns at most max events from any replica. Those that it does not have yet are missing at the end.
func (l *Log) batch(ctx context.Context, s *site, filter string, after uint64, max int) (all batch, err error) {
	all.last = after
	for all.more = true; all.more && len(all.events) < max; {
		var r batch
		err := retry(ctx, func(ctx context.Context) (err error) {
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

// direct returns the events of one response of a replica, which bounds it in bytes, too.
func (l *Log) direct(ctx context.Context, s *site, filter string, after uint64, max int) (r batch, err error) {
	sub, err := l.requestBatch(s, filter, after, max)
	if err != nil {
		return r, err
	}
	defer sub.Unsubscribe()
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
			return r, fmt.Errorf("direct get: message after %d came after %s: %w", before, previous, errNotUpToDate)
		}
		e, ok, err := s.directEvent(msg)
		if err != nil {
			return r, fmt.Errorf("direct get: %w", err)
		}
		before, r.last = e.ID.Seq, e.ID.Seq
		if ok {
			r.events = append(r.events, e)
		}
	}
}

// requestBatch requests messages from any replica and returns the subscription to them. The caller unsubscribes it.
func (l *Log) requestBatch(s *site, filter string, after uint64, max int) (*nats.Subscription, error) {
	inbox := l.nc.NewRespInbox()
	sub, err := l.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	body := fmt.Appendf(nil, `{"seq":%d,"next_by_subj":"%s%s","batch":%d}`, after+1, s.subject, filter, max)
	if err := l.nc.PublishRequest("$JS.API.DIRECT.GET."+s.stream, inbox, body); err != nil {
		return nil, errors.Join(err, sub.Unsubscribe())
	}
	return sub, nil
}

// directEvent returns the event in a message of a direct get. ok is false for a message that this package has not published; its id is
// then set all the same.
func (s *site) directEvent(msg *nats.Msg) (e stream.Event, ok bool, err error) {
	seq, err1 := strconv.ParseUint(msg.Header.Get(jetstream.SequenceHeader), 10, 64)
	at, err2 := time.Parse(time.RFC3339Nano, msg.Header.Get(jetstream.TimeStampHeaer))
	if err := errors.Join(err1, err2); err != nil {
		return e, false, err
	}
	e, ok = s.event(msg.Header.Get(jetstream.SubjectHeader), seq, at, msg.Header, msg.Data)
	e.ID.Seq = seq
	return e, ok, nil
}

// stored is a message as the leader of the stream returns it.
type stored struct {
	Message struct {
		Subject string    `json:"subject"`
		Seq     uint64    `json:"seq"`
		Header  []byte    `json:"hdrs"`
		Data    []byte    `json:"data"`
		Time    time.Time `json:"time"`
	} `json:"message"`
}

// complete adds events from the leader to r, up to the sequence high and to at most max events.
func (l *Log) complete(ctx context.Context, s *site, filter string, high uint64, max int, r *batch) error {
	for len(r.events) < max && r.last < high {
		var m stored
		err := retry(ctx, func(ctx context.Context) error {
			body := fmt.Sprintf(`{"seq":%d,"next_by_subj":"%s%s"}`, r.last+1, s.subject, filter)
			err := l.request(ctx, "MSG.GET", s.stream, body, &m)
			if errorCode(err) == jetstream.JSErrCodeMessageNotFound {
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
