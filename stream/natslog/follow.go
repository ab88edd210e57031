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

// LostError says that the log no longer holds what was read from it: a site's stream was deleted, or replaced by another one, as by the
// restoration of a backup, while this process ran.
type LostError struct {
	Site string
	Read uint64 // newest sequence that was read
	Last uint64 // newest sequence of the stream that there is now; 0 with Gone
	Gone bool   // the stream was deleted, and there is none now
}

func (e *LostError) Error() string {
	if e.Gone {
		return fmt.Sprintf("log of site %s was deleted when it was read up to %d, and was not created again; a restart begins an empty one: "+
			"if there is a backup, restore it before", e.Site, e.Read)
	}
	return fmt.Sprintf("log of site %s was replaced by another, which ends at %d, when it was read up to %d; restart to read that", e.Site, e.Last, e.Read)
}

var (
	errLoopLeft = errors.New("the loop over the events was left")
	errQuiet    = errors.New("the consumer did not deliver what there is")
	errMissed   = errors.New("the consumer sent a message that did not arrive")
)

const (
	// followTimeout bounds the wait for a response while following. The loss of a server loses its requests.
	followTimeout = time.Second
	// followRetryDelay is the delay before a follower goes on with a new consumer.
	followRetryDelay = 50 * time.Millisecond
	// pageInterval is the least time between two pages while there is no consumer.
	pageInterval = 100 * time.Millisecond
	// pageSize is how many messages a page has at most.
	pageSize = 500
	// quietTimeout is how long a consumer may deliver nothing before a page shows whether there is something.
	quietTimeout = 500 * time.Millisecond
	// intervalShare is the least interval for each followed site: all of them together make at most 100 requests a second.
	intervalShare = 10 * time.Millisecond
	// maxCreating is how many consumers are being created at the same time at most.
	maxCreating = 8
	// consumerTimeout bounds the creation of a consumer.
	consumerTimeout = 2 * followTimeout
	// shortTimeout is how long a log may end before what was read from it. A server that was just elected leader takes a moment to apply
	// what it has.
	shortTimeout = 10 * time.Second
	// deletedTimeout is how long the cluster has to report that there is no stream before the stream counts as deleted. A cluster
	// that starts does not report that until it knows its streams; the time makes a mistake less likely still.
	deletedTimeout = 10 * time.Second
)

// Follow reads with a consumer of its own, and with a new one after any failure: a server restarts, the server that had the consumer is
// lost, a message is missing. The error that ends it is a *LostError, or that of a name that cannot name a site.
func (l *Log) Follow(ctx context.Context, siteName string, after uint64) iter.Seq2[stream.Event, error] {
	return func(yield func(stream.Event, error) bool) {
		if err := stream.CheckSite(siteName); err != nil {
			yield(stream.Event{}, fmt.Errorf("follow: %w", err))
			return
		}
		l.follows(siteName, 1)
		defer l.follows(siteName, -1)
		f := follower{log: l, last: after, yield: yield}
		for ctx.Err() == nil {
			err := f.run(ctx, siteName)
			if errors.Is(err, errLoopLeft) {
				return
			} else if lost := new(LostError); errors.As(err, &lost) {
				yield(stream.Event{}, err)
				return
			}
			l.opts.Logger.Debug("reading the log again", "site", siteName, "after", f.last, "error", err)
			sleep(ctx, followRetryDelay)
		}
	}
}

// follows adds n to the number of the followers of a site.
func (l *Log) follows(name string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.followers[name] += n; l.followers[name] == 0 {
		delete(l.followers, name)
	}
}

// spread returns d, or a longer interval when many sites are followed: more sites then do not mean more requests.
func (l *Log) spread(d time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(d, time.Duration(len(l.followers))*intervalShare)
}

// follower is the state of one call of Follow, which outlives its consumers.
type follower struct {
	log       *Log
	site      *site
	last      uint64    // newest sequence that was read
	created   time.Time // when the stream that is being read was created
	short     time.Time // since when the log ends before what was read; zero while it does not
	gone      time.Time // since when the cluster reports that there is no stream; zero while it does not
	delivered uint64    // messages that the consumer of this run has delivered
	yield     func(stream.Event, error) bool
}

// run follows with one consumer until that fails. Until there is a consumer it reads the log page by page: a consumer needs the leader
// of the whole cluster, an append or a direct read only that of the stream.
func (f *follower) run(ctx context.Context, name string) (err error) {
	if f.site, err = f.log.site(ctx, name); err != nil {
		return err
	}
	if err := f.check(ctx); err != nil {
		return err
	}
	made := make(chan creation, 1)
	creating, cancel := context.WithCancel(ctx)
	defer cancel()
	go func(s *site, first uint64) { made <- f.log.createConsumer(creating, s, first) }(f.site, f.last+1)
	tick := time.NewTicker(f.log.spread(pageInterval))
	defer tick.Stop()
	for {
		select {
		case c := <-made:
			if c.err != nil {
				return c.err
			}
			return f.consume(ctx, c.Consumer)
		case <-tick.C:
			if err := f.page(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
		}
	}
}

// page yields the next events that a replica has, at most pageSize.
func (f *follower) page(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	r, err := f.log.direct(ctx, f.site, "*.*", f.last, pageSize)
	if err != nil {
		return err
	}
	for _, e := range r.events {
		f.last = e.ID.Seq
		if !f.yield(e, nil) {
			return errLoopLeft
		}
	}
	return nil
}

// check fails with a LostError when this is not the stream that was read, or no longer reaches as far.
func (f *follower) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	info, err := f.log.describe(ctx, f.site.name, "")
	if errorCode(err) != jetstream.JSErrCodeStreamNotFound {
		f.gone = time.Time{}
	} else if hasLasted(&f.gone, deletedTimeout) {
		return &LostError{Site: f.site.name, Read: f.last, Gone: true}
	}
	if err != nil {
		return err
	}
	if f.created.IsZero() {
		f.created = info.Created
	}
	short := info.State.LastSeq < f.last
	if !f.created.Equal(info.Created) || short && hasLasted(&f.short, shortTimeout) {
		return &LostError{Site: f.site.name, Read: f.last, Last: info.State.LastSeq}
	}
	if short {
		return errNotUpToDate
	}
	f.short = time.Time{}
	f.site.observe(info)
	return nil
}

// hasLasted reports whether a state has lasted for longer than d. It sets since when it is zero.
func hasLasted(since *time.Time, d time.Duration) bool {
	if since.IsZero() {
		*since = time.Now()
	}
	return time.Since(*since) > d
}
