package natslog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	lively = 5 * time.Second // how long ago a replica may have answered the leader, which asks every second or two
	steady = 3 * time.Second // how long nothing may have spoken against servers before they are found well again
)

// refresh reads the epochs of a log elsewhere, and judges whether it can store. That there is an answer proves
// little: a leader that lost the others goes on to answer, and for 10 to 20 s to call itself the leader, and
// what is left of a stream answers without one.
func (l *Log) refresh(ctx context.Context) error {
	patience := readPatience
	if l.state.why() != nil {
		patience = tryPatience // a question is lost with the server that it went to, and the next may be answered
	}
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := l.js.Stream(asking, l.opts.Stream)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		err = fmt.Errorf("ask for the stream: %w", err)
		l.state.worsen(err)
		return err
	}
	info := s.CachedInfo()
	if chain, err := readChain(info.Config.Metadata); err == nil && len(chain) > 0 {
		l.chain.Store(&chain)
	}
	return l.judge(info.Cluster)
}

// judge begins trouble when there is no quorum, unless an append that was stored lately proves otherwise, or servers
// are joining and leaving those that keep the stream. It ends trouble when a majority has answered its leader since
// something last spoke against the log, and that is a while ago. Of a server alone an answer is enough, unless it
// refused an append, as with a full store, which would be forgotten at once and begin again with the next.
func (l *Log) judge(c *jetstream.ClusterInfo) error {
	quiet, refused, stored := l.state.since()
	if err := quorum(c, lively); err != nil {
		if stored > lively && c.Desired == nil {
			l.state.worsen(err)
		}
		return err
	}
	if c == nil || len(c.Replicas) == 0 {
		quiet = refused
	}
	if quiet >= steady && quorum(c, quiet) == nil {
		l.state.mend()
	}
	return l.state.why()
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
	well, all := 1, 1+len(c.Replicas)
	for _, r := range c.Replicas {
		if r.Current && r.Active > 0 && r.Active <= lately {
			well++
		}
	}
	if 2*well <= all {
		return fmt.Errorf("only %d of the %d servers that keep the stream can be reached by its leader %s", well, all, c.Leader)
	}
	return nil
}
