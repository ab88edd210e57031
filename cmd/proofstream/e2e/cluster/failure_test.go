package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/natslog/natstest"
	"proofstream/stream/waitfor"
)

// The leader of three servers is killed, then the next leader hangs with its connections open. Acknowledged events are kept, and posts
// succeed again within 15 s. Events that are acknowledged before the second fault arrive within 3 s. The streams on both nodes stay open
// and have one order. The ordinary suite allows twice and three times as long.
func TestClusterLosesItsLeader(t *testing.T) {
	c := e2e.StartNATS(t, 3)
	a := c.Node()
	b := c.Node()
	c.CreateStream(a)
	l := e2e.StartLoad(t, e2e.Balance(t, a, b), 8, 4, 5*time.Millisecond)
	l.AwaitMore(100)
	killed, i := c.Leader()
	killed.Kill()
	l.AwaitMore(100)
	t.Logf("n%d killed; longest stall of posts %v", i, l.LongestStall())
	killed.Start()
	c.AwaitReplicas()
	l.AwaitArrivals()
	paused, i := c.Leader()
	paused.Pause()
	l.AwaitMore(100)
	t.Logf("n%d paused; longest stall of posts %v", i, l.LongestStall())
	paused.Resume()
	c.AwaitReplicas()
	l.AwaitMore(50)
	l.Stop()
	got := l.Finish(c.Stored())
	got.Check(t, l)
	postStall, late := 15*time.Second, 3*time.Second // as promised
	if !e2e.Long {
		postStall, late = 2*postStall, 10*late // the machine runs other tests at the same time
	}
	if got.PostStall > postStall || got.LateBefore > late {
		t.Errorf("posts stalled %v, want %v at most; an event arrived %v after its acknowledgement, want %v at most", got.PostStall, postStall, got.LateBefore, late)
	}
	for i, s := range l.Sources {
		if n := len(s.AllEnds()); n != 0 {
			t.Errorf("stream %d ended %d times", i, n)
		}
	}
}

// Service nodes behind a TCP load balancer are restarted one after the other, and one is killed: no event is lost or repeated.
func TestClusterRollingRestart(t *testing.T) {
	c := e2e.StartNATS(t, 1)
	nodes := []*e2e.Program{c.Node("PROOF_SHUTDOWN_GRACE=3s"), c.Node("PROOF_SHUTDOWN_GRACE=3s")}
	l := e2e.StartLoad(t, e2e.Balance(t, nodes...), 20, 4, 5*time.Millisecond)
	l.AwaitMore(100)
	for i := range nodes {
		nodes[i].Stop()
		nodes[i] = nodes[i].Restart()
		l.AwaitMore(50)
	}
	nodes[0].Kill()
	l.AwaitMore(50)
	nodes[0] = nodes[0].Restart()
	l.AwaitMore(50)
	l.Stop()
	l.Finish(c.Stored()).Check(t, l)
	for i, s := range l.Sources {
		s.AwaitOpen(t)
		if len(s.AllEnds()) == 0 {
			t.Errorf("stream %d never ended: the restarts prove nothing", i)
		}
	}
}

// While NATS is unreachable at the start, the service is live, not ready, and tells every client to retry later. It serves when NATS
// is reachable.
func TestClusterIsUnreachableAtStart(t *testing.T) {
	t.Parallel()
	c := e2e.PrepareNATS(t, 1)
	p := e2e.Launch(t, c.Env()...)
	line := p.AwaitLog("requests get 503 until")
	p.URL = "http://" + strings.TrimSpace(line[strings.Index(line, "address=")+len("address="):])
	wantStatus(t, p, 200, "GET", "/live", "")
	if got := wantStatus(t, p, 503, "GET", "/ready", ""); got.Body != "starting" {
		t.Errorf("/ready: got %q, want starting", got.Body)
	}
	for _, request := range []string{"POST /signup", "DELETE /signup/abc-1", "GET /recent", "GET /stats"} {
		method, path, _ := strings.Cut(request, " ")
		if got := wantStatus(t, p, 503, method, path, "{}"); got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: got no Retry-After", request)
		}
	}
	s := p.Listen(t, "", "Origin: http://localhost:1")
	s.Ended(t)
	if e := s.Received(); len(e) != 1 || e[0].Kind != "busy" || s.Head.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("a stream got %+v with %v, want busy for a page of another origin", e, s.Head)
	}
	waitfor.Until(t, waitfor.Patience, func() bool { return strings.Count(p.Stderr.String(), "waiting for the NATS cluster") >= 2 }, p.Stderr.String)
	c.Servers[0].Start()
	p.AwaitLog("serving url=")
	wantStatus(t, p, 200, "GET", "/ready", "")
}

// NATS disconnects and reconnects: the stream stays open and gets every event once. A post waits for NATS up to its deadline.
func TestClusterDisconnectsAndReconnects(t *testing.T) {
	t.Parallel()
	c := e2e.StartNATS(t, 1)
	p := c.Node()
	s := p.Follow(t, "")
	first := p.Post(t, "user_name=before")
	c.Servers[0].Kill()
	waitfor.Until(t, waitfor.Patience, func() bool { return !p.Ready() }, p.Stderr.String)
	posted := time.Now()
	got := wantStatus(t, p, 503, "POST", "/signup", `{"user_name":"lost"}`)
	if took := time.Since(posted); got.Header.Get("Retry-After") == "" || took < 5*time.Second {
		t.Errorf("a post without NATS got %v after %v, want Retry-After, after at least 5 s", got.Header, took)
	}
	waited := make(chan string)
	go func() {
		id, err := p.TryPost("key", "user_name=waits")
		waited <- fmt.Sprint(id, err)
	}()
	time.Sleep(500 * time.Millisecond) // nothing tells that the post has started to wait for NATS
	c.Servers[0].Start()
	second := strings.TrimSuffix(<-waited, "<nil>")
	third := p.Post(t, "user_name=after")
	ids := e2e.IDs(s.AwaitEvents(t, "signup", 3))
	if d := e2e.Difference(ids, []string{first, second, third}); d != "" || s.Conns != 1 {
		t.Errorf("over %d connections: %s", s.Conns, d)
	}
	wantStatus(t, p, 200, "GET", "/ready", "")
}

// wantStatus sends a JSON request with the API key and checks the status.
func wantStatus(t *testing.T, p *e2e.Program, want int, method, path, body string) e2e.Response {
	t.Helper()
	got := p.Request(t, method, path, body, "Content-Type: application/json", "X-API-Key: "+p.Key)
	if got.Status != want {
		t.Errorf("%s %s: got %d %s, want %d", method, path, got.Status, got.Body, want)
	}
	return got
}

// Two of three servers are killed. The third still responds to requests about the stream, but the service is not ready, with posts or
// without, and logs that once. It is ready again when the other servers are back.
func TestClusterLosesItsQuorum(t *testing.T) {
	t.Parallel()
	c := e2e.StartNATS(t, 3)
	p := c.Node(e2e.MetricsOn(t))
	c.CreateStream(p)
	p.Post(t)
	_, leads := c.Leader()
	for i, s := range c.Servers {
		if i != leads {
			s.Kill()
		}
	}
	waitfor.Until(t, waitfor.Patience, func() bool { return !p.Ready() }, p.Stderr.String)
	if _, err := p.TryPost("", "user_name=refused"); err == nil {
		t.Error("a post was acknowledged by one server of three")
	}
	// 8 s are several health checks of the service, which leave no trace that a test could wait for.
	if waitfor.Within(8*time.Second, p.Ready) {
		t.Fatalf("ready without a quorum:\n%s", p.Stderr)
	}
	if p.Metric(t, "proofstream_ready") != 0 {
		t.Error("got metric 1, want 0")
	}
	for i, s := range c.Servers {
		if i != leads {
			s.Start()
		}
	}
	p.AwaitLog("log stores again")
	waitfor.Until(t, waitfor.Patience, p.Ready, p.Stderr.String)
	p.Post(t)
	if log := p.Stderr.String(); strings.Count(log, "log does not store") != 1 || strings.Count(log, "log stores again") != 1 {
		t.Errorf("logged more than once:\n%s", log)
	}
}

// When the JetStream stream is deleted, the service exits with status 1 and logs why. A restart starts a new log.
func TestClusterDeletedStream(t *testing.T) {
	e2e.Slow(t)
	t.Parallel()
	for name, subscribers := range map[string]int{"with a subscriber": 1, "without subscribers": 0} {
		t.Run(name, func(t *testing.T) { t.Parallel(); deletedStream(t, subscribers) })
	}
}

// deletedStream deletes the stream under a node with a number of subscribers.
func deletedStream(t *testing.T, subscribers int) {
	c := e2e.StartNATS(t, 1)
	p := c.Node()
	for range subscribers {
		p.Listen(t, "")
	}
	before := p.Post(t)
	natstest.Ask(c.Cluster, "delete the stream", func(ctx context.Context, js jetstream.JetStream) (any, error) {
		return nil, js.DeleteStream(ctx, e2e.DefaultStream)
	})
	waitfor.Until(t, waitfor.Patience, func() bool { return !p.Ready() }, p.Stderr.String)
	if status := p.Wait(); status != 1 || !strings.Contains(p.Stderr.String(), "log of site default was deleted") {
		t.Fatalf("got status %d:\n%s", status, p.Stderr)
	}
	p = p.Restart()
	if after := p.Post(t); e2e.Sequence(after) != 1 || after == before {
		t.Errorf("the first event of the new log is %s; the old one's was %s", after, before)
	}
	if s := p.Listen(t, "", "Last-Event-ID: "+before); !strings.Contains(s.Ready(t).Data, `"gap"`) {
		t.Errorf("a cursor of the deleted log: got %s, want a gap", s.Ready(t).Data)
	}
}
