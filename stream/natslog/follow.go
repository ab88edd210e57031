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

// LostError says that the log no longer holds what was read from it: a site's stream was deleted, or restored
// from a backup, under this process.
type LostError struct {
	Site string
	Read uint64 // newest sequence that was read
	Last uint64 // newest sequence of the log as it is now
	Gone bool   // it was deleted, and there is none now
}

func (e *LostError) Error() string {
	if e.Gone {
		return fmt.Sprintf("log of site %s was deleted when it was read up to %d, and was not created again; a restart begins an empty one: "+
			"if there is a backup, restore it before", e.Site, e.Read)
	}
	return fmt.Sprintf("log of site %s was replaced by another, which ends at %d, when it was read up to %d; restart to read that", e.Site, e.Last, e.Read)
}

var (
	errEnough = errors.New("the loop over the events was left")
	errQuiet  = errors.New("the consumer did not bring what there is")
	errMissed = errors.New("the consumer sent a message that did not arrive")
)

const (
	followPatience = time.Second            // how long an answer is waited for: a question is lost with its server
	pageEvery      = 100 * time.Millisecond // between two pages while there is no consumer
	pageSize       = 500
	quietFor       = 500 * time.Millisecond // how long a consumer is believed that brings nothing
	share          = 5 * time.Millisecond   // for each followed site, these are at least: 200 questions a second in all
	makeAtOnce     = 8                      // consumers on their way at the same time
	// shortFor is how long a log may end before what was read from it: a server that was just elected
	// leader takes a moment to apply what it has.
	shortFor = 10 * time.Second
	// goneFor is how long a cluster may say that there is no stream. One that starts says nothing, or that it has
	// no leader, until it knows its streams; but this is not worth a mistake.
	goneFor = 10 * time.Second
)

// Follow reads with a consumer of its own, and with a new one after any mishap: a restart of
// a server, the loss of the one that had the consumer, a message missed. The error that ends it is a *LostError.
func (l *Log) Follow(ctx context.Context, siteName string, after uint64) iter.Seq2[stream.Event, error] {
	return func(yield func(stream.Event, error) bool) {
		if err := checkSite(siteName); err != nil {
			yield(stream.Event{}, fmt.Errorf("follow: %w", err))
			return
		}
		l.follows(siteName, 1)
		defer l.follows(siteName, -1)
		f := follower{log: l, last: after, yield: yield}
		for ctx.Err() == nil {
			err := f.run(ctx, siteName)
			if errors.Is(err, errEnough) {
				return
			} else if lost := new(LostError); errors.As(err, &lost) {
				yield(stream.Event{}, err)
				return
			}
			l.opts.Logger.Debug("reading the log again", "site", siteName, "after", f.last, "err", err)
			pause(ctx, 50*time.Millisecond)
		}
	}
}

// follows counts the followers of a site.
func (l *Log) follows(name string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.followed[name] += n; l.followed[name] == 0 {
		delete(l.followed, name)
	}
}

// spread returns an interval that is longer when many sites are followed, so that the cluster is not asked more often.
func (l *Log) spread(d time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(d, time.Duration(len(l.followed))*share)
}

// follower is one call of Follow: it knows how far it is, whatever becomes of its consumers.
type follower struct {
	log       *Log
	site      *site
	last      uint64
	created   time.Time // when the stream that is being read was created
	short     time.Time // since when the log ends before what was read
	gone      time.Time // since when the cluster says that there is no stream
	delivered uint64    // messages that the consumer of this run has brought
	yield     func(stream.Event, error) bool
}

// run follows with one consumer until that fails. A consumer needs more of a cluster than an append or a
// direct read does, the leader of all servers beside that of the stream: until there is one, the log is
// read page by page.
func (f *follower) run(ctx context.Context, name string) (err error) {
	if f.site, err = f.log.site(ctx, name); err != nil {
		return err
	}
	if err := f.check(ctx); err != nil {
		return err
	}
	made := make(chan consumed, 1)
	making, cancel := context.WithCancel(ctx)
	defer cancel()
	go func(s *site, first uint64) { made <- f.log.consume(making, s, first) }(f.site, f.last+1)
	tick := time.NewTicker(f.log.spread(pageEvery))
	defer tick.Stop()
	for {
		select {
		case c := <-made:
			if c.err != nil {
				return c.err
			}
			return f.take(ctx, c.Consumer)
		case <-tick.C:
			if err := f.page(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
		}
	}
}

// consumed is a consumer on its way.
type consumed struct {
	jetstream.Consumer
	err error
}

// consume creates a consumer that begins at a sequence. Left alone it goes away by itself. (The client's
// ordered consumer would be created again by itself, but waits up to 10 s for each try.)
func (l *Log) consume(ctx context.Context, s *site, first uint64) (c consumed) {
	select {
	case l.making <- struct{}{}:
		defer func() { <-l.making }()
	case <-ctx.Done():
		return consumed{err: ctx.Err()}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*followPatience)
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

// take yields what a consumer brings, until that fails. One that is quiet is not believed:
// it may have been placed on a server that is gone, and its heartbeats would take seconds to be missed.
// A page tells whether there is something that it did not bring.
func (f *follower) take(ctx context.Context, consumer jetstream.Consumer) error {
	quiet := f.log.spread(quietFor)
	messages, err := consumer.Messages(jetstream.PullExpiry(4*quiet), jetstream.PullHeartbeat(2*quiet))
	if err != nil {
		return err
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for f.delivered = 0; ; {
		msg, err := messages.Next(jetstream.NextMaxWait(quiet))
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
	ctx, cancel := context.WithTimeout(ctx, followPatience)
	defer cancel()
	r, err := f.log.direct(ctx, f.site, "*.*", f.last, pageSize)
	if err != nil {
		return err
	}
	for _, e := range r.events {
		f.last = e.ID.Seq
		if !f.yield(e, nil) {
			return errEnough
		}
	}
	return nil
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
	f.last = meta.Sequence.Stream
	e, ok := f.site.event(msg.Subject(), f.last, meta.Timestamp, nats.Header(msg.Headers()), msg.Data())
	if ok && !f.yield(e, nil) {
		return errEnough
	}
	return nil
}

// check fails with a LostError when this is not the stream that was read, or no longer reaches as far.
func (f *follower) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, followPatience)
	defer cancel()
	info, err := f.log.inform(ctx, f.site.name, "")
	if code(err) != jetstream.JSErrCodeStreamNotFound {
		f.gone = time.Time{}
	} else if lasts(&f.gone, goneFor) {
		return &LostError{Site: f.site.name, Read: f.last, Gone: true}
	}
	if err != nil {
		return err
	}
	if f.created.IsZero() {
		f.created = info.Created
	}
	short := info.State.LastSeq < f.last
	if !f.created.Equal(info.Created) || short && lasts(&f.short, shortFor) {
		return &LostError{Site: f.site.name, Read: f.last, Last: info.State.LastSeq}
	}
	if short {
		return errAgain
	}
	f.short = time.Time{}
	f.site.note(info)
	return nil
}

// lasts begins to measure a state at its first sight, and returns whether it has lasted for a while.
func lasts(since *time.Time, d time.Duration) bool {
	if since.IsZero() {
		*since = time.Now()
	}
	return time.Since(*since) > d
}
