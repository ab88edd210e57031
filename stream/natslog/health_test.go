package natslog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
	"proofstream/stream/natslog/natstest"
	"proofstream/stream/waitfor"
)

// servers is a stream's leader with replicas that last responded to it at the given times before now.
func servers(ago ...time.Duration) *jetstream.ClusterInfo {
	c := &jetstream.ClusterInfo{Leader: "n0"}
	for _, d := range ago {
		c.Replicas = append(c.Replicas, &jetstream.PeerInfo{Current: true, Active: d})
	}
	return c
}

// TestQuorum would catch a log that counts as able to store because one server responds.
func TestQuorum(t *testing.T) {
	leaderless, incomplete, offline := servers(1, 1, 1), servers(time.Second, time.Minute), servers(1, time.Minute)
	leaderless.Leader, incomplete.Replicas[0].Current, offline.Replicas[0].Offline = "", false, true
	for _, test := range []struct {
		name string
		info *jetstream.ClusterInfo
		want bool
	}{
		{"a server alone", nil, true},
		{"one copy in a cluster", servers(), true},
		{"three, all healthy", servers(time.Second, time.Second), true},
		{"one of three away", servers(time.Second, time.Minute), true},
		{"one of three has reconnected and is still called offline", offline, true},
		{"two of three away", servers(6*time.Second, time.Minute), false},
		{"two of three without a response since the election", servers(0, 0), false},
		{"one of three away, another not complete", incomplete, false},
		{"no server leads", leaderless, false},
		{"one of two away", servers(time.Minute), false},
	} {
		if err := quorum(test.info, replicaTimeout); (err == nil) != test.want {
			t.Errorf("%s: got %v, want it to store: %t", test.name, err, test.want)
		}
	}
}

// TestHealth would catch a log that is called healthy, or not, for too little. Times are seconds before now; 0 is never.
func TestHealth(t *testing.T) {
	now := time.Now()
	ago := func(s float64) time.Time { return now.Add(-time.Duration(s * float64(time.Second))) }
	fine, lost, moving := servers(time.Second, time.Second), servers(time.Minute, time.Minute), servers(time.Minute, time.Minute)
	moving.Desired = &jetstream.DesiredClusterInfo{}
	oops := errors.New("oops")
	for _, test := range []struct {
		name  string
		facts facts
		want  bool
	}{
		{"nothing is known", facts{}, true},
		{"closed", facts{closed: true}, false},
		{"no connection", facts{disconnected: oops, stored: ago(1)}, false},
		{"no quorum", facts{responded: ago(1), servers: lost}, false},
		{"no quorum, and an append stored before", facts{responded: ago(1), servers: lost, stored: ago(7)}, false},
		{"no quorum, and an append stored a moment ago", facts{responded: ago(1), servers: lost, stored: ago(2)}, true},
		{"servers are joining", facts{responded: ago(1), servers: moving}, true},
		{"a failure while servers are joining", facts{responded: ago(1), servers: moving, failed: ago(60), failure: oops}, false},
		{"a failure, and responses from before", facts{responded: ago(2), servers: fine, failed: ago(1), failure: oops}, false},
		{"a failure, and a response", facts{responded: ago(0.1), servers: fine, failed: ago(3), failure: oops}, false},
		{"a failure, and responses for a while", facts{responded: ago(0.1), servers: fine, failed: ago(4), failure: oops}, true},
		{"a failure, and no response of a replica since", facts{responded: ago(0.1), servers: servers(4*time.Second, 4*time.Second), failed: ago(4), failure: oops}, false},
		{"a failure before an append was stored", facts{stored: ago(1), servers: fine, failed: ago(2), failure: oops}, true},
		{"a server alone was away", facts{responded: ago(1), failed: ago(2), failure: oops}, true},
		{"a server alone is away", facts{responded: ago(2), failed: ago(1), failure: oops}, false},
		{"full", facts{responded: ago(1), servers: fine, refused: ago(20), refusal: oops}, false},
		{"full, and an append stored since", facts{stored: ago(1), refused: ago(20), refusal: oops}, true},
		{"full, and no append was tried for long", facts{responded: ago(1), refused: ago(61), refusal: oops}, true},
	} {
		if err := health(test.facts, now); (err == nil) != test.want {
			t.Errorf("%s: got %v, want it healthy: %t", test.name, err, test.want)
		}
	}
}

// TestAppendFailed would catch an append that an election swallowed and that is counted after another was stored.
func TestAppendFailed(t *testing.T) {
	var o observer
	started := time.Now()
	o.appended()
	o.appendFailed(started, context.DeadlineExceeded)
	if o.facts.failure != nil {
		t.Error("an append that began before another was stored is counted as failed")
	}
	o.appendFailed(time.Now(), context.DeadlineExceeded)
	o.appendFailed(time.Now(), &jetstream.APIError{Code: 503, ErrorCode: errFull})
	if o.facts.failure == nil || o.facts.refusal == nil {
		t.Errorf("facts are %+v; want a failure and a refusal", o.facts)
	}
}

// staysUnhealthy fails the test when a log is called healthy within a while, appends being tried meanwhile.
func staysUnhealthy(t *testing.T, l *Log, while time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), while)
	defer cancel()
	var trying sync.WaitGroup
	trying.Go(func() {
		for ctx.Err() == nil {
			if _, _, err := l.Append(ctx, "a", stream.Entry{Data: payload}); err == nil {
				t.Error("an append succeeded")
			}
		}
	})
	defer trying.Wait()
	for ctx.Err() == nil {
		if l.Healthy() == nil {
			t.Error("a log without a quorum is called healthy")
			return
		}
		sleep(ctx, 10*time.Millisecond)
	}
}

// killFollowers kills all servers except the one that leads the stream of site a.
func killFollowers(c *natstest.Cluster) (killed []*natstest.Server) {
	leader := c.Leader("proofstream-a")
	for i, s := range c.Servers {
		if i != leader {
			s.Kill()
			killed = append(killed, s)
		}
	}
	return killed
}

// TestQuorumLost stops two of three servers, and leaves the one that leads the stream: it goes on to respond as if nothing
// had happened. That must be noticed without an append, and logged once, until the others are back.
func TestQuorumLost(t *testing.T) {
	t.Parallel()
	c := natstest.Start(t, 3)
	var logged waitfor.Output
	l := opened(t, Options{URL: c.URL(), Replicas: 3, Logger: logger(&logged)})
	appendN(t, l, 5)
	run(t, l)
	wantLogged := func(lost, again int) {
		t.Helper()
		text := logged.String()
		if n, m := strings.Count(text, "does not store"), strings.Count(text, "stores again"); n != lost || m != again {
			t.Errorf("logged %d times that it does not store, %d that it does again; want %d and %d:\n%s", n, m, lost, again, text)
		}
	}
	killed := killFollowers(c)
	started := time.Now()
	waitfor.Fact(t, "the loss is noticed", func() bool { return l.Healthy() != nil })
	t.Logf("noticed after %v without an append", time.Since(started))
	staysUnhealthy(t, l, 2*recoveryTime)
	wantLogged(1, 0)
	for _, s := range killed {
		s.Start()
	}
	started = time.Now()
	waitfor.Fact(t, "the log stores again", func() bool { return l.Healthy() == nil && strings.Contains(logged.String(), "again") })
	t.Logf("healthy %v after the servers were back", time.Since(started))
	appendN(t, l, 5)
	wantLogged(1, 1)

	killFollowers(c)
	failing, cancel := context.WithTimeout(t.Context(), attemptTimeout+time.Second)
	defer cancel()
	if _, _, err := l.Append(failing, "a", stream.Entry{Data: payload}); err == nil || failing.Err() == nil {
		t.Errorf("an append ended with %v before its time was over, want it to wait for the others", err)
	}
	staysUnhealthy(t, l, replicaTimeout+recoveryTime) // until after the leader has missed the others
	wantLogged(2, 1)
}

// TestFullStore would catch a full store that counts as healthy because it responds, and one that never is healthy again.
func TestFullStore(t *testing.T) {
	t.Parallel()
	c := natstest.Start(t, 1, "jetstream { max_file_store: 128KB }")
	l := opened(t, Options{URL: c.URL(), Limits: stream.Limits{Events: 1e6}})
	run(t, l)
	var err error
	for i := 0; err == nil; i++ {
		_, _, err = l.Append(t.Context(), "a", stream.Entry{Data: payload, Key: fmt.Sprint(i)})
	}
	if !errors.Is(err, stream.ErrUnavailable) {
		t.Fatalf("append to a full store: %v", err)
	}
	for started := time.Now(); time.Since(started) < recoveryTime+2*time.Second; sleep(t.Context(), 50*time.Millisecond) {
		if l.Healthy() == nil {
			t.Fatal("a full store is called healthy")
		}
	}
	if id, duplicate, err := l.Append(t.Context(), "a", stream.Entry{Data: payload, Key: "0"}); err != nil || !duplicate {
		t.Errorf("retry of a stored append: %v, %t, %v", id, duplicate, err)
	} else if l.Healthy() == nil {
		t.Error("a duplicate, which stores nothing, is taken for a proof of health")
	}
	for seq := range uint64(50) {
		if err := l.Erase(t.Context(), "a", seq+1); err != nil {
			t.Fatal(err)
		}
	}
	appendN(t, l, 1)
	if err := l.Healthy(); err != nil {
		t.Errorf("after an append was stored: %v", err)
	}
}
