package natslog

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// creation is the outcome of the creation of a consumer.
type creation struct {
	jetstream.Consumer
	err error
}

// createConsumer creates a consumer that begins at a sequence. The server removes it 30 s after its last use. The client's ordered
// consumer was not taken: it renews itself, but waits up to 10 s for each attempt.
func (l *Log) createConsumer(ctx context.Context, s *site, first uint64) (c creation) {
	select {
	case l.creating <- struct{}{}:
		defer func() { <-l.creating }()
	case <-ctx.Done():
		return creation{err: ctx.Err()}
	}
	ctx, cancel := context.WithTimeout(ctx, consumerTimeout)
	defer cancel()
	c.Consumer, c.err = l.js.CreateConsumer(ctx, s.stream, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       first,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: 30 * time.Second,
	})
	return c
}

// consume yields what a consumer delivers, until that fails. When it delivers nothing for a while, a page shows whether there is
// something: the consumer may have been on a server that is gone, and it takes seconds until the client misses its heartbeats.
func (f *follower) consume(ctx context.Context, consumer jetstream.Consumer) error {
	quiet := f.log.spread(quietTimeout)
	messages, err := consumer.Messages(jetstream.PullExpiry(4*quiet), jetstream.PullHeartbeat(2*quiet))
	if err != nil {
		return err
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for f.delivered = 0; ; {
		msg, err := messages.Next(jetstream.NextMaxWait(quiet))
		if err == nil {
			err = f.receive(msg)
		} else if errors.Is(err, nats.ErrTimeout) {
			before := f.last
			if err = f.page(ctx); f.last != before && err == nil {
				return errQuiet
			}
		}
		if err != nil {
			return err
		}
	}
}

// receive yields the event in msg, unless a page had it already.
func (f *follower) receive(msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	if f.delivered++; meta.Sequence.Consumer != f.delivered {
		return errMissed
	}
	if meta.Sequence.Stream <= f.last {
		return nil
	}
	f.last = meta.Sequence.Stream
	e, ok := f.site.event(msg.Subject(), f.last, meta.Timestamp, nats.Header(msg.Headers()), msg.Data())
	if ok && !f.yield(e, nil) {
		return errLoopLeft
	}
	return nil
}
