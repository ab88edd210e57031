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

// One of three servers is killed while it leads the stream, then another is stopped without closing its connections: what was
// acknowledged stays, posts succeed again within 15 s, and, after the kill, what they stored arrives within 3 s of that, on
// streams that stay open on both nodes, in one order.
func TestClusterLosesItsLeader(t *testing.T) {
	c := e2e.StartNATS(t, 3)
	a := c.Node()
	b := c.Node()
	c.First(a)
	l := e2e.StartLoad(t, e2e.Balance(t, a, b), 8, 4, 5*time.Millisecond)
	l.AwaitMore(100)
	killed, i := c.Leader()
	killed.Kill()
	l.AwaitMore(100)
	t.Logf("n%d killed; longest stall of posts %v", i, l.LongestStall())
	killed.Start()
	c.Whole()
	l.AwaitArrivals()
	paused, i := c.Leader()
	paused.Pause()
	l.AwaitMore(100)
	t.Logf("n%d paused; longest stall of posts %v", i, l.LongestStall())
	paused.Resume()
	c.Whole()
	l.AwaitMore(50)
	l.End()
	got := l.Finish(c.Stored())
	got.Check(t, l)
	postStall, late := 15*time.Second, 3*time.Second // what is promised
	if !e2e.Long {
		postStall, late = 2*postStall, 3*late // an election on a machine that runs other tests beside it
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

// Nodes of the service are restarted one after the other, and one is killed, behind a balancer that knows only TCP.
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
	l.End()
	l.Finish(c.Stored()).Check(t, l)
	for i, s := range l.Sources {
		s.Await(t, "an open stream", func() bool { return s.Conns > len(s.Ends) })
		if len(s.AllEnds()) == 0 {
			t.Errorf("stream %d was never ended: this proved nothing", i)
		}
	}
}

// NATS is not there at the start, then there, then away, then there again.
func TestClusterComesAndGoes(t *testing.T) {
	t.Parallel()
	c := e2e.PrepareNATS(t, 1)
	p := e2e.Launch(t, c.Env()...)
	line := p.AwaitLog("putting requests off")
	p.URL = "http://" + strings.TrimSpace(line[strings.Index(line, "address=")+len("address="):])
	wantStatus := func(want int, method, path, body string, headers ...string) e2e.Answer {
		t.Helper()
		a := p.Ask(t, method, path, body, headers...)
		if a.Status != want {
			t.Errorf("%s %s: got %d %s, want %d", method, path, a.Status, a.Body, want)
		}
		return a
	}
	wantStatus(200, "GET", "/live", "")
	if a := wantStatus(503, "GET", "/ready", ""); a.Body != "starting" {
		t.Errorf("/ready said %q", a.Body)
	}
	for _, method := range []string{"POST /signup", "DELETE /signup/abc-1", "GET /recent", "GET /stats"} {
		verb, path, _ := strings.Cut(method, " ")
		if a := wantStatus(503, verb, path, "{}", "Content-Type: application/json", "X-API-Key: "+p.Key); a.Header.Get("Retry-After") == "" {
			t.Errorf("%s was put off without Retry-After", method)
		}
	}
	s := p.Listen(t, "", "Origin: http://localhost:1")
	s.Ended(t)
	if e := s.Received(); len(e) != 1 || e[0].Kind != "busy" || s.Head.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("a stream got %+v with %v, want busy for a page of another origin", e, s.Head)
	}
	waitfor.Until(t, waitfor.Patience, func() bool { return strings.Count(p.Stderr.String(), "waiting for it") >= 2 }, p.Stderr.String)

	c.Servers[0].Start()
	p.AwaitLog("serving url=")
	wantStatus(200, "GET", "/ready", "")
	s = p.Follow(t, "")
	first := p.Post(t, "user_name=before")
	c.Servers[0].Kill()
	waitfor.Until(t, waitfor.Patience, func() bool { return !p.Ready() }, p.Stderr.String)
	began := time.Now()
	if a := wantStatus(503, "POST", "/signup", `{"user_name":"lost"}`, "Content-Type: application/json", "X-API-Key: "+p.Key); a.Header.Get("Retry-After") == "" || time.Since(began) < 5*time.Second {
		t.Errorf("put off after %v with %v; want a post to wait within its deadline", time.Since(began), a.Header)
	}
	waited := make(chan string)
	go func() {
		id, err := p.TryPost("key", "user_name=waits")
		waited <- fmt.Sprint(id, err)
	}()
	time.Sleep(500 * time.Millisecond) // the post is on its way: nothing tells when it has found nobody there
	c.Servers[0].Start()
	second := strings.TrimSuffix(<-waited, "<nil>")
	third := p.Post(t, "user_name=after")
	got := e2e.IDs(s.AwaitEvents(t, "signup", 3))
	if d := e2e.Difference(got, []string{first, second, third}); d != "" || s.Conns != 1 {
		t.Errorf("over %d connections: %s", s.Conns, d)
	}
	wantStatus(200, "GET", "/ready", "")
}

// Two of three servers are killed. The third goes on to answer for the stream, which proves nothing: the service is not
// ready, with posts or without, and logs it once. When the others are back it is ready again by itself.
func TestClusterLosesItsQuorum(t *testing.T) {
	t.Parallel()
	c := e2e.StartNATS(t, 3)
	p := c.Node(e2e.MetricsOn(t))
	c.First(p)
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
	for began := time.Now(); time.Since(began) < 8*time.Second; time.Sleep(20 * time.Millisecond) { // long enough for a few looks at the stream
		if p.Ready() {
			t.Fatalf("ready after %v without a quorum:\n%s", time.Since(began), p.Stderr)
		}
	}
	if p.Metric(t, "proofstream_ready") != 0 {
		t.Error("the metric says that it is ready")
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

// The stream is deleted, and nobody makes it again: the service ends and says why, and a restart begins a new log.
func TestClusterDeletedStream(t *testing.T) {
	e2e.Slow(t)
	t.Parallel()
	for name, listeners := range map[string]int{"while somebody listens": 1, "while nobody listens": 0} {
		t.Run(name, func(t *testing.T) { t.Parallel(); deletedStream(t, listeners) })
	}
}

func deletedStream(t *testing.T, listeners int) {
	c := e2e.StartNATS(t, 1)
	p := c.Node()
	for range listeners {
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
		t.Errorf("a cursor of the deleted log: %s", s.Ready(t).Data)
	}
}
