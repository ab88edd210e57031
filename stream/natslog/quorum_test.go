package natslog

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// TestQuorum would catch a log that is believed to store because somebody answers for it.
func TestQuorum(t *testing.T) {
	heard := func(ago time.Duration) *jetstream.PeerInfo { return &jetstream.PeerInfo{Current: true, Active: ago} }
	three := func(a, b *jetstream.PeerInfo) *jetstream.ClusterInfo {
		return &jetstream.ClusterInfo{Leader: "n0", Replicas: []*jetstream.PeerInfo{a, b}}
	}
	tests := []struct {
		name string
		info *jetstream.ClusterInfo
		want bool
	}{
		{"a server alone", nil, true},
		{"one copy in a cluster", &jetstream.ClusterInfo{Leader: "n0"}, true},
		{"three, all well", three(heard(time.Second), heard(time.Second)), true},
		{"one of three away", three(heard(time.Second), heard(time.Minute)), true},
		{"one of three came back and is called offline still", three(&jetstream.PeerInfo{Current: true, Active: 1, Offline: true}, heard(time.Minute)), true},
		{"two of three away", three(heard(6*time.Second), heard(time.Minute)), false},
		{"two of three not heard of since the election", three(heard(0), heard(0)), false},
		{"one of three away, another not complete", three(&jetstream.PeerInfo{Active: time.Second}, heard(time.Minute)), false},
		{"nobody leads", &jetstream.ClusterInfo{Replicas: []*jetstream.PeerInfo{heard(1), heard(1), heard(1)}}, false},
		{"one of two away", &jetstream.ClusterInfo{Leader: "n0", Replicas: []*jetstream.PeerInfo{heard(time.Minute)}}, false},
	}
	for _, test := range tests {
		if err := quorum(test.info, lively); (err == nil) != test.want {
			t.Errorf("%s: got %v, want it to store: %t", test.name, err, test.want)
		}
	}
}

// TestJudge would catch a log that is called well, or not, for too little.
func TestJudge(t *testing.T) {
	servers := func(ago time.Duration) *jetstream.ClusterInfo {
		return &jetstream.ClusterInfo{Leader: "n0", Replicas: []*jetstream.PeerInfo{{Current: true, Active: ago}, {Current: true, Active: ago}}}
	}
	well, lost, moving := servers(time.Second), servers(time.Minute), servers(time.Minute)
	moving.Desired = &jetstream.DesiredClusterInfo{}
	full, away := &jetstream.APIError{Code: 503, ErrorCode: errFull}, context.DeadlineExceeded
	fails := func(why error) func(*health) { return func(h *health) { h.failed(time.Now(), why) } }
	tests := []struct {
		name     string
		happened func(*health)
		after    time.Duration
		info     *jetstream.ClusterInfo
		want     bool // that it stores
	}{
		{"nothing happened", func(*health) {}, 0, well, true},
		{"no quorum", func(*health) {}, 0, lost, false},
		{"no quorum, and an append stored before", (*health).acknowledged, lively + 1, lost, false},
		{"an append stored a moment ago", (*health).acknowledged, time.Second, lost, true},
		{"servers are joining", func(*health) {}, 0, moving, true},
		{"an append failed while servers are joining", fails(away), time.Minute, moving, false},
		{"an append failed, answers are from before", fails(away), 0, well, false},
		{"an append failed, and a while of answers", fails(away), steady, well, true},
		{"an append failed, and the leader has no answers since", fails(away), steady, servers(steady + 1), false},
		{"a server alone was away", fails(away), 0, nil, true},
		{"a server alone is full", fails(full), steady - 1, nil, false},
		{"a server alone was full", fails(full), steady, nil, true},
		{"an append failed that was begun before another was stored", func(h *health) {
			begun := time.Now()
			time.Sleep(time.Second)
			h.acknowledged()
			h.failed(begun, away)
		}, 0, well, true},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			l := New(Options{URL: "nats://127.0.0.1:1"})
			test.happened(&l.state)
			time.Sleep(test.after)
			_ = l.judge(test.info)
			if err := l.state.why(); (err == nil) != test.want {
				t.Errorf("%s: got %v, want it to store: %t", test.name, err, test.want)
			}
		})
	}
}

// watchTrouble fails the test when a log is called healthy within a while, appends being tried meanwhile.
func watchTrouble(t *testing.T, l *Log, while time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), while)
	defer cancel()
	var trying sync.WaitGroup
	trying.Go(func() {
		for ctx.Err() == nil {
			if _, _, err := l.Append(ctx, stream.Draft{Site: "a", Data: payload}); err == nil {
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
		pause(ctx, 10*time.Millisecond)
	}
}

// TestQuorumLost stops two of three servers, and leaves the one that leads the stream: it answers on as if nothing
// had happened. That must be noticed though nobody appends, and told once, until the others are back.
func TestQuorumLost(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	var told journal
	l := opened(t, Options{URL: c.url(), Replicas: 3, Logger: slog.New(slog.NewTextHandler(&told, nil))})
	appendFive(t, l)
	run(t, l)
	wantTold := func(lost, again int) {
		t.Helper()
		said := told.String()
		if n, m := strings.Count(said, "does not store"), strings.Count(said, "stores again"); n != lost || m != again {
			t.Errorf("told %d times that it does not store, %d that it does again; want %d and %d:\n%s", n, m, lost, again, said)
		}
	}
	stopped := c.stopFollowers(t, l)
	until(t, "the loss is noticed", func() bool { return l.Healthy() != nil })
	watchTrouble(t, l, 2*steady)
	wantTold(1, 0)
	for _, i := range stopped {
		c.start(t, i)
	}
	until(t, "the log stores again", func() bool { return l.Healthy() == nil && strings.Contains(told.String(), "again") })
	appendFive(t, l)
	wantTold(1, 1)

	c.stopFollowers(t, l)
	failing, cancel := context.WithTimeout(t.Context(), tryPatience+time.Second)
	defer cancel()
	if _, _, err := l.Append(failing, stream.Draft{Site: "a", Data: payload}); err == nil || failing.Err() == nil {
		t.Errorf("an append ended with %v before its time was over, want it to wait for the others", err)
	}
	watchTrouble(t, l, lively+steady) // until after the leader has missed the others
	wantTold(2, 1)
}

// stopFollowers stops all servers but the one that leads the stream.
func (c *cluster) stopFollowers(t *testing.T, l *Log) (stopped []int) {
	t.Helper()
	leader := ""
	until(t, "somebody leads the stream", func() bool {
		s, err := l.js.Stream(t.Context(), "proofstream")
		if err == nil {
			leader = s.CachedInfo().Cluster.Leader
		}
		return leader != ""
	})
	for i := range c.servers {
		if c.servers[i].Name() != leader {
			c.stop(i)
			stopped = append(stopped, i)
		}
	}
	return stopped
}

// journal is what a logger wrote.
type journal struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
