package natslog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	lively    = 5 * time.Second // how long ago a replica may have answered the leader, which asks every second or two
	steady    = 3 * time.Second // how long nothing may have failed before servers are healthy again
	retryFull = time.Minute     // how long after the last refusal a full store is worth another try
)

// facts are what was observed of the cluster. A time that is zero never was.
type facts struct {
	closed   bool
	away     error                  // why there is no connection; nil when there is one
	stored   time.Time              // when an append was last acknowledged
	refused  time.Time              // when one was last refused, as by a full store
	refusal  error                  // how
	failed   time.Time              // when a question or an append last found nobody
	failure  error                  // how
	answered time.Time              // when the leader of a stream last answered
	servers  *jetstream.ClusterInfo // what it said of the servers that keep the stream; nil: there is one
}

var errClosed = errors.New("log is closed")

// health returns nil when an append would now be expected to succeed, or why not.
//
// That a leader answers proves little: one that lost the other servers goes on to answer, and for 10 to 20 s to
// call itself the leader. What counts is which servers have answered it, and since when nothing has failed. An append that was
// stored a moment ago outweighs that; and servers that are joining or leaving are not lost.
func health(f facts, now time.Time) error {
	lost := quorum(f.servers, lively)
	switch {
	case f.closed:
		return errClosed
	case f.away != nil:
		return fmt.Errorf("no connection to the log: %w", f.away)
	case f.refused.After(f.stored) && now.Sub(f.refused) < retryFull:
		return f.refusal
	case lost != nil && f.servers.Desired == nil && f.answered.Sub(f.stored) > lively:
		return lost
	case f.failed.After(f.stored) && !f.recovered():
		return f.failure
	}
	return nil
}

// recovered says whether a majority has answered its leader since something last failed, and that is a while ago. Of a
// server alone an answer is enough.
func (f facts) recovered() bool {
	quiet := f.answered.Sub(f.failed)
	if f.servers == nil || len(f.servers.Replicas) == 0 {
		return quiet > 0
	}
	return quiet >= steady && quorum(f.servers, quiet) == nil
}

var errNoLeader = errors.New("no server leads the stream")

// quorum returns why the servers that keep a stream cannot store: nobody leads them, or their leader was not
// answered lately by enough of them to be a majority with it. Whether it calls them offline says less: one that hangs is
// not, for two minutes. One that was not heard of since the election is told as active 0 s ago.
func quorum(c *jetstream.ClusterInfo, lately time.Duration) error {
	if c == nil {
		return nil // a server alone
	}
	if c.Leader == "" {
		return errNoLeader
	}
	live, all := 1, 1+len(c.Replicas)
	for _, r := range c.Replicas {
		if r.Current && r.Active > 0 && r.Active <= lately {
			live++
		}
	}
	if 2*live <= all {
		return fmt.Errorf("only %d of the %d servers that keep the stream can be reached by its leader %s", live, all, c.Leader)
	}
	return nil
}

// observer collects facts.
type observer struct {
	mu     sync.Mutex // guards all below
	facts  facts
	reason error // of the last disconnection
}

func (o *observer) note(change func(f *facts)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.facts)
}

func (o *observer) close()    { o.note(func(f *facts) { f.closed = true }) }
func (o *observer) appended() { o.note(func(f *facts) { f.stored = time.Now() }) }

// appendFailed is not news when another append that began later was stored: an election swallowed this one.
func (o *observer) appendFailed(begun time.Time, err error) {
	o.note(func(f *facts) {
		switch {
		case f.stored.After(begun):
		case passing(err):
			f.failed, f.failure = time.Now(), err
		default:
			f.refused, f.refusal = time.Now(), err
		}
	})
}

func (o *observer) asked(info *jetstream.StreamInfo, err error) {
	o.note(func(f *facts) {
		if err != nil {
			f.failed, f.failure = time.Now(), err
			return
		}
		f.answered, f.servers = time.Now(), nil
		if info != nil {
			f.servers = info.Cluster
		}
	})
}

// disconnected notes why there is no connection.
func (o *observer) disconnected(err error) {
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.reason = err
	}
}

func (o *observer) whyAway() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reason == nil {
		return errors.New("no server answers")
	}
	return o.reason
}

// Healthy returns nil when an Append would now be expected to succeed, or why not. It needs Run.
func (l *Log) Healthy() error {
	l.health.mu.Lock()
	f := l.health.facts
	l.health.mu.Unlock()
	if !f.closed && !l.ready.Load() {
		return errors.New("the log is not open yet")
	}
	if !f.closed && !l.nc.IsConnected() {
		f.away = l.health.whyAway()
	}
	return health(f, time.Now())
}

// Run observes the cluster's health until ctx ends or the log is closed, with one question a second, and logs when
// the log stores no longer or again. The error is a *LostError when a site's stream was deleted, which Follow
// notices only for sites that are followed.
func (l *Log) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	healthy, name, gone := true, "", time.Time{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if l.nc.IsClosed() {
			return nil
		}
		if healthy = l.report(healthy); healthy { // else stay with the stream that has no quorum
			name = l.nextSite(name)
		}
		if err := l.probe(ctx, name); code(err) != jetstream.JSErrCodeStreamNotFound {
			gone = time.Time{}
		} else if lasts(&gone, goneFor) {
			return &LostError{Site: name, Read: l.reached(name), Gone: true}
		}
		healthy = l.report(healthy)
	}
}

// report logs when the health has changed, and returns whether the log is healthy.
func (l *Log) report(before bool) (healthy bool) {
	err := l.Healthy()
	switch {
	case err == nil && !before:
		l.opts.Logger.Info("log stores again")
	case err != nil && before && !errors.Is(err, errClosed):
		l.opts.Logger.Error("log does not store", "err", err)
	}
	return err == nil
}

// probe asks about the stream of a site, or about the account when there is none.
func (l *Log) probe(ctx context.Context, name string) error {
	asking, cancel := context.WithTimeout(ctx, tryPatience)
	defer cancel()
	var info *jetstream.StreamInfo
	var err error
	if name == "" {
		_, err = l.js.AccountInfo(asking)
	} else if info, err = l.inform(asking, name, ""); err == nil {
		l.know(name, info)
	}
	if ctx.Err() == nil {
		l.health.asked(info, err)
	}
	return err
}

// reached returns the newest sequence of a site that this process knows of.
func (l *Log) reached(name string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.sites[name]; s != nil {
		return s.reachedHigh()
	}
	return 0
}

// nextSite returns the followed site after the given one, in turn; when none is followed, one whose stream is known.
func (l *Log) nextSite(name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := slices.Sorted(maps.Keys(l.followed))
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(l.sites))
	}
	if len(names) == 0 {
		return ""
	}
	i, found := slices.BinarySearch(names, name)
	if found {
		i++
	}
	return names[i%len(names)]
}
