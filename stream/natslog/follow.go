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
			pause(ctx, 50*time.Millisecond)
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
	return fmt.Sprintf("log was replaced by another, which ends at %d, when it was read up to %d; restart to read it anew", e.Last, e.Read)
}

var (
	errEnough = errors.New("the loop over the events was left")
	errAnew   = errors.New("the consumer was made anew")
)

// follower is one call of Follow: it knows how far it is, whatever becomes of its consumers.
type follower struct {
	log      *Log
	last     uint64
	created  time.Time // when the stream was made that is being read
	consumer string    // that of this run; the client makes another at will
	yield    func(stream.Event, error) bool
}

// run follows with one consumer until that fails.
func (f *follower) run(ctx context.Context) error {
	if err := f.log.opened(); err != nil {
		return err
	}
	if err := f.check(ctx); err != nil {
		return err
	}
	f.consumer = ""
	asking, cancel := context.WithTimeout(ctx, f.log.followPatience())
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

// check fails with a LostError when this is not the log that was read, or no longer reaches as far.
func (f *follower) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.log.followPatience())
	defer cancel()
	s, err := f.log.js.Stream(ctx, f.log.opts.Stream)
	if err != nil {
		return err
	}
	info := s.CachedInfo()
	if f.created.IsZero() {
		f.created = info.Created
	}
	if !f.created.Equal(info.Created) || info.State.LastSeq < f.last {
		return &LostError{Read: f.last, Last: info.State.LastSeq}
	}
	return nil
}

// pass yields the event in msg, unless a former consumer did. What a consumer brings that was made
// behind our back may be of another log: that is checked first.
func (f *follower) pass(msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	if f.consumer == "" {
		f.consumer = meta.Consumer
	}
	if f.consumer != meta.Consumer {
		return errAnew
	}
	if meta.Sequence.Stream <= f.last {
		return nil
	}
	site, kind, err := f.log.parseSubject(msg.Subject())
	if err != nil {
		return err
	}
	f.last = meta.Sequence.Stream
	f.log.moved.learn(f.last, meta.Timestamp, msg.Headers().Get(jetstream.MsgIDHeader), f.log.opts.window())
	event := stream.Event{
		Seq: f.last, Site: site, Kind: kind, Time: meta.Timestamp, Data: msg.Data(), Pending: meta.NumPending,
	}
	if !f.yield(event, nil) {
		return errEnough
	}
	return nil
}
