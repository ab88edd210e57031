package natslog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// Follow reads with an ordered consumer, and with a new one after any mishap: after a restart of
// the server, the loss of the node that had it, a message missed.
func (l *Log) Follow(ctx context.Context, after uint64) iter.Seq2[stream.Event, error] {
	return func(yield func(stream.Event, error) bool) {
		f := follower{log: l, last: after, yield: yield}
		for ctx.Err() == nil {
			if err := f.run(ctx); errors.Is(err, errEnough) {
				return
			} else if lost := new(LostError); errors.As(err, &lost) {
				yield(stream.Event{}, err)
				return
			}
			pause(ctx, 100*time.Millisecond)
		}
	}
}

// LostError says that the log no longer holds what was read from it: it was deleted, or restored
// from a backup, under this process.
type LostError struct {
	Read uint64 // newest sequence that was read
	Last uint64 // newest sequence of the log as it is now
}

func (e *LostError) Error() string {
	return fmt.Sprintf("log ends at %d, but was read up to %d: it was replaced by an older or an empty one; restart to read it anew",
		e.Last, e.Read)
}

var errEnough = errors.New("the loop over the events was left")

// follower is one call of Follow: it knows how far it is, whatever becomes of its consumers.
type follower struct {
	log   *Log
	last  uint64
	yield func(stream.Event, error) bool
}

// run follows with one consumer until that fails.
func (f *follower) run(ctx context.Context) error {
	if err := f.check(ctx); err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	consumer, err := f.log.js.OrderedConsumer(asking, f.log.opts.Stream, jetstream.OrderedConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       f.last + 1,
		InactiveThreshold: 30 * time.Second,
		MaxResetAttempts:  1,
	})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullExpiry(2*time.Second), jetstream.PullHeartbeat(time.Second))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		if err := f.pass(msg); err != nil {
			return err
		}
	}
}

// check fails with a LostError when the log does not reach as far as it was read.
func (f *follower) check(ctx context.Context) error {
	state, err := f.log.State(ctx)
	if err == nil && state.Last < f.last {
		err = &LostError{Read: f.last, Last: state.Last}
	}
	return err
}

// pass yields the event in msg, unless a former consumer did.
func (f *follower) pass(msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil || meta.Sequence.Stream <= f.last {
		return err
	}
	site, kind, err := f.log.parseSubject(msg.Subject())
	if err != nil {
		return err
	}
	f.last = meta.Sequence.Stream
	event := stream.Event{
		Seq: f.last, Site: site, Kind: kind, Time: meta.Timestamp, Data: msg.Data(), Pending: meta.NumPending,
	}
	if !f.yield(event, nil) {
		return errEnough
	}
	return nil
}
