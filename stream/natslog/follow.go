package natslog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// Follow reads with a consumer of its own, and with a new one after any mishap: after a restart of
// the server, the loss of the node that had it, a message missed.
func (l *Log) Follow(ctx context.Context, after uint64) iter.Seq2[stream.Event, error] {
	return func(yield func(stream.Event, error) bool) {
		f := follower{log: l, last: after, yield: yield}
		for ctx.Err() == nil {
			err := f.run(ctx)
			if errors.Is(err, errEnough) {
				return
			} else if lost := new(LostError); errors.As(err, &lost) {
				yield(stream.Event{}, err)
				return
			}
			l.opts.Logger.Debug("reading the log anew", "after", f.last, "err", err)
			pause(ctx, 50*time.Millisecond)
		}
	}
}

// LostError says that the log no longer holds what was read from it: it was deleted, or restored
// from a backup, under this process.
type LostError struct {
	Read uint64 // newest sequence that was read
	Last uint64 // newest sequence of the log as it is now
	Gone bool   // it was deleted, and there is none now
}

func (e *LostError) Error() string {
	if e.Gone {
		return fmt.Sprintf("log was deleted when it was read up to %d, and nobody made it again; a restart begins an empty one: what has a backup is to be restored before", e.Read)
	}
	return fmt.Sprintf("log was replaced by another, which ends at %d, when it was read up to %d; restart to read it anew", e.Last, e.Read)
}

var (
	errEnough = errors.New("the loop over the events was left")
	errShort  = errors.New("the log ends before what was read from it")
	errQuiet  = errors.New("the consumer did not bring what there is")
	errMissed = errors.New("the consumer sent a message that did not arrive")
)

// follower is one call of Follow: it knows how far it is, whatever becomes of its consumers.
type follower struct {
	log       *Log
	last      uint64
	created   time.Time // when the stream was made that is being read
	short     time.Time // since when the log ends before what was read
	gone      time.Time // since when a cluster says that there is no log
	delivered uint64    // messages that the consumer of this run has brought
	yield     func(stream.Event, error) bool
}

// run follows with one consumer until that fails. A consumer needs more of a cluster than a post or a
// direct read does, the leader of all servers beside that of the stream: until it is made, the log is
// read page by page.
func (f *follower) run(ctx context.Context) error {
	if err := f.log.opened(); err != nil {
		return err
	}
	if err := f.check(ctx); err != nil {
		return err
	}
	made := make(chan consumed, 1)
	making, cancel := context.WithTimeout(ctx, 2*f.log.followPatience())
	defer cancel()
	go func(first uint64) { made <- f.log.consume(making, first) }(f.last + 1)
	for tick := time.Tick(pageEvery); ; {
		select {
		case c := <-made:
			if c.err != nil {
				return c.err
			}
			return f.take(ctx, c.Consumer)
		case <-tick:
			if err := f.page(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
		}
	}
}

const (
	pageEvery = 100 * time.Millisecond // between two pages while there is no consumer
	pageSize  = 500
	quietFor  = 500 * time.Millisecond // how long a consumer is believed that brings nothing
)

// consumed is a consumer on its way.
type consumed struct {
	jetstream.Consumer
	err error
}

// consume makes a consumer that begins at a sequence. Left alone it goes away by itself. (The client's
// ordered consumer would be made anew by itself, but waits up to 10 s for each try.)
func (l *Log) consume(ctx context.Context, first uint64) (c consumed) {
	c.Consumer, c.err = l.js.CreateConsumer(ctx, l.opts.Stream, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       first,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: 30 * time.Second,
	})
	return c
}

// take yields what a consumer brings, until that fails. In a cluster one that is quiet is not believed:
// it may have been placed on a server that is gone, and its heartbeats would take seconds to be missed.
// A page tells whether there is something that it did not bring.
func (f *follower) take(ctx context.Context, consumer jetstream.Consumer) error {
	messages, err := consumer.Messages(jetstream.PullExpiry(2*time.Second), jetstream.PullHeartbeat(time.Second))
	if err != nil {
		return err
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	wait := jetstream.NextMaxWait(quietFor)
	if f.log.opts.embedded() {
		wait = jetstream.NextContext(ctx)
	}
	for f.delivered = 0; ; {
		msg, err := messages.Next(wait)
		if err == nil {
			err = f.pass(msg)
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

// page yields the next events as far as a replica has them.
func (f *follower) page(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.log.followPatience())
	defer cancel()
	events, left, err := f.log.readBatch(ctx, "*", f.last, pageSize)
	if err != nil {
		return err
	}
	for i, e := range events {
		f.last = e.Seq
		e.Pending = left + uint64(len(events)-1-i)
		if !f.yield(e, nil) {
			return errEnough
		}
	}
	return nil
}

const (
	// shortFor is how long a log may end before what was read from it: a server that was just elected
	// leader takes a moment to apply what it has.
	shortFor = 10 * time.Second
	// goneFor is how long a cluster may say that there is no log. One that starts says nothing, or that it has
	// no leader, until it knows its streams; but this is not worth a mistake.
	goneFor = 10 * time.Second
)

// check fails with a LostError when this is not the log that was read, or no longer reaches as far.
func (f *follower) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.log.followPatience())
	defer cancel()
	s, err := f.log.js.Stream(ctx, f.log.opts.Stream)
	if err := f.missing(err); err != nil {
		return err
	}
	info := s.CachedInfo()
	if f.created.IsZero() {
		f.created = info.Created
	}
	lost := &LostError{Read: f.last, Last: info.State.LastSeq}
	switch {
	case !f.created.Equal(info.Created):
		return lost
	case info.State.LastSeq >= f.last:
		f.short = time.Time{}
		return nil
	case f.short.IsZero():
		f.short = time.Now()
	case time.Since(f.short) > shortFor:
		return lost
	}
	return errShort
}

// missing turns the answer that there is no log into a LostError when it was the only one for a while. An embedded
// log is made anew by whoever repairs it.
func (f *follower) missing(err error) error {
	switch {
	case f.log.opts.embedded() || !errors.Is(err, jetstream.ErrStreamNotFound):
		f.gone = time.Time{}
	case f.gone.IsZero():
		f.gone = time.Now()
	case time.Since(f.gone) > goneFor:
		return &LostError{Read: f.last, Gone: true}
	}
	return err
}

// pass yields the event in msg, unless a page had it already.
func (f *follower) pass(msg jetstream.Msg) error {
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
	site, kind, err := f.log.parseSubject(msg.Subject())
	if err != nil { // somebody else has published under our prefix: no reason to stop here for good
		f.log.opts.Logger.Warn("message in the log that is no event was skipped", "sequence", meta.Sequence.Stream, "error", err)
		f.last = meta.Sequence.Stream
		return nil
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
