package natslog

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// replicaTimeout is how long ago a replica may have last responded to its leader. Leaders ask every second or two.
	replicaTimeout = 5 * time.Second
	// recoveryTime is how long nothing may have failed before several servers are healthy again.
	recoveryTime = 3 * time.Second
	// fullRetryDelay is how long after its last refusal a full store counts as worth another try.
	fullRetryDelay = time.Minute
	// probeInterval is the time between two probes of Run.
	probeInterval = time.Second
)

// facts are what was observed of the cluster. A zero time means never.
type facts struct {
	closed       bool
	disconnected error                  // why there is no connection; nil while there is one
	stored       time.Time              // when an append was last acknowledged
	refused      time.Time              // when an append was last refused, as by a full store
	refusal      error                  // why it was
	failed       time.Time              // when a request or an append last got no response
	failure      error                  // why it did not
	responded    time.Time              // when the leader of a stream last responded
	servers      *jetstream.ClusterInfo // its report on the servers that keep the stream; nil for a single server
}

var errClosed = errors.New("log is closed")

// health returns nil when an append would be expected to succeed now, or why not.
//
// A response of a leader proves little: a leader that lost the other servers goes on to respond, and calls itself the leader for 10 to
// 20 s. What counts is which servers have responded to it, and since when nothing has failed. An append that was stored a moment ago
// outweighs both. Servers that are joining or leaving do not count as lost.
func health(f facts, now time.Time) error {
	lost := quorum(f.servers, replicaTimeout)
	switch {
	case f.closed:
		return errClosed
	case f.disconnected != nil:
		return fmt.Errorf("no connection to the log: %w", f.disconnected)
	case f.refused.After(f.stored) && now.Sub(f.refused) < fullRetryDelay:
		return f.refusal
	case lost != nil && f.servers.Desired == nil && f.responded.Sub(f.stored) > replicaTimeout:
		return lost
	case f.failed.After(f.stored) && !f.recovered():
		return f.failure
	}
	return nil
}

// recovered reports whether a majority has responded to its leader since the last failure, and recoveryTime has passed. A single server
// has recovered with its first response.
func (f facts) recovered() bool {
	quiet := f.responded.Sub(f.failed)
	if f.servers == nil || len(f.servers.Replicas) == 0 {
		return quiet > 0
	}
	return quiet >= recoveryTime && quorum(f.servers, quiet) == nil
}

var errNoLeader = errors.New("no server leads the stream")

// quorum returns why the servers that keep a stream cannot store: they have no leader, or too few of them have responded to it within a
// time to be a majority with it. It ignores whether the leader calls a server offline: that takes two minutes for one that hangs. A
// replica that has not responded since the election is reported as active 0 s ago.
func quorum(c *jetstream.ClusterInfo, within time.Duration) error {
	if c == nil {
		return nil // a single server
	}
	if c.Leader == "" {
		return errNoLeader
	}
	live, all := 1, 1+len(c.Replicas)
	for _, r := range c.Replicas {
		if r.Current && r.Active > 0 && r.Active <= within {
			live++
		}
	}
	if 2*live <= all {
		return fmt.Errorf("only %d of the %d servers that keep the stream can be reached by its leader %s", live, all, c.Leader)
	}
	return nil
}
