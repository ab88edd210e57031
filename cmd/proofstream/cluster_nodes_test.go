package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// streams returns what /stats tells of open streams.
func (p *program) streams(t testing.TB) int {
	t.Helper()
	var got struct{ Subscribers int }
	if err := json.Unmarshal([]byte(p.get(t, "/stats").body), &got); err != nil {
		t.Fatal(err)
	}
	return got.Subscribers
}

// The numbers are of all nodes, at once of the node's own, and a node that dies or stops is forgotten.
func TestClusterCountsEveryNode(t *testing.T) {
	t.Parallel()
	c := startNATS(t, 1)
	a, b := c.node(), c.node()
	tell := func(p *program, want int) {
		t.Helper()
		until(t, patience, func() bool { return p.streams(t) == want }, func() string { return fmt.Sprint(p.streams(t), " streams, want ", want) })
	}
	for range 3 {
		a.listen(t, "")
	}
	if n := a.streams(t); n < 3 {
		t.Errorf("a node with three streams of its own told %d", n)
	}
	kept := b.listen(t, "")
	b.listen(t, "")
	tell(a, 5)
	tell(b, 5)
	kept.close()
	tell(a, 4)
	b.kill()
	tell(a, 3)
	b = b.restart()
	b.listen(t, "")
	tell(a, 4)
	b.term()
	tell(a, 3)
	b.wait()
}

// A node whose settings differ says so and leaves the stream as it is, unless it is told to change it.
func TestClusterKeepsItsSettings(t *testing.T) {
	t.Parallel()
	c := startNATS(t, 1)
	c.node("PROOF_RETAIN=100").post(t)
	other := c.node("PROOF_RETAIN=50")
	if line := other.awaitLog("has other settings"); !strings.Contains(line, "is 100, not 50") || c.info().Config.MaxMsgsPerSubject != 100 {
		t.Errorf("the stream keeps %d; told: %s", c.info().Config.MaxMsgsPerSubject, line)
	}
	c.node("PROOF_RETAIN=50", "PROOF_NATS_UPDATE=true")
	if n := c.info().Config.MaxMsgsPerSubject; n != 50 {
		t.Errorf("after PROOF_NATS_UPDATE=true the stream keeps %d, want 50", n)
	}
}

// slowLink passes bytes on to a server, those from there at most so many a second, from when rate is set; none while it is
// negative.
type slowLink struct {
	addr string
	rate atomic.Int64
}

func throttle(t *testing.T, to int) *slowLink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &slowLink{addr: l.Addr().String()}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", to))
			if err != nil {
				in.Close()
				continue
			}
			out.(*net.TCPConn).SetReadBuffer(16 << 10)
			go func() { io.Copy(out, in); out.Close() }()
			go func() { s.trickle(in, out); in.Close() }()
		}
	}()
	return s
}

func (s *slowLink) trickle(to, from net.Conn) {
	buf := make([]byte, 4<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		for s.rate.Load() < 0 {
			time.Sleep(5 * time.Millisecond)
		}
		if rate := s.rate.Load(); rate > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A node that the log reaches over a slow line is not ready and says how far it is behind. It serves positions that it has not
// reached yet: nothing is repeated, and nothing lost.
func TestClusterNodeBehind(t *testing.T) {
	t.Parallel()
	c := startNATS(t, 1)
	a := c.node()
	link := throttle(t, c.servers[0].port)
	port := freePorts(t, 1)[0]
	b := start(t, append(c.env(), "PROOF_NATS_URL=nats://"+link.addr, fmt.Sprintf("PROOF_METRICS_ADDR=127.0.0.1:%d", port))...)
	a.post(t)
	link.rate.Store(-1)
	acknowledged := a.burst(t, 3000)
	link.rate.Store(150_000)
	newest := acknowledged[len(acknowledged)-1]
	until(t, patience, func() bool { return b.get(t, "/ready").body == "behind" }, func() string { return b.get(t, "/ready").body })
	metrics := &program{url: fmt.Sprint("http://127.0.0.1:", port)}
	lag := metrics.get(t, "/metrics").body
	if _, after, ok := strings.Cut(lag, "\nproofstream_log_lag_events "); !ok || strings.HasPrefix(after, "0\n") {
		t.Errorf("a node that is behind tells no lag: %.20s", after)
	}
	ahead := b.follow(t, "", "Last-Event-ID: "+newest)
	middle := b.follow(t, "", "Last-Event-ID: "+acknowledged[len(acknowledged)-10])
	link.rate.Store(0)
	until(t, patience, func() bool { return b.get(t, "/ready").body == "ready" }, func() string { return b.get(t, "/ready").body })
	ahead.ready(t) // the log may not have answered in time before: then it was asked to come back
	last := a.post(t)
	if got := ids(ahead.awaitEvents(t, "signup", 1)); got[0] != last || !strings.Contains(ahead.ready(t).data, "complete") {
		t.Errorf("from %s on: got %v after %s, want only %s", newest, got, ahead.ready(t).data, last)
	}
	want := append(acknowledged[len(acknowledged)-9:], last)
	if difference := differ(ids(middle.awaitEvents(t, "signup", len(want))), want); difference != "" {
		t.Errorf("ten before the newest: %s", difference)
	}
}

// A signup that one node erases while another is behind is no gap there.
func TestClusterEraseElsewhere(t *testing.T) {
	t.Parallel()
	c := startNATS(t, 1)
	a := c.node()
	link := throttle(t, c.servers[0].port)
	b := start(t, append(c.env(), "PROOF_NATS_URL=nats://"+link.addr)...)
	s := b.follow(t, "")
	first := a.post(t)
	s.awaitEvents(t, "signup", 1)
	link.rate.Store(-1)
	a.burst(t, 2000) // more than what is on its way to the other node at once
	erased := a.post(t, "user_name=erased")
	last := a.post(t)
	if got := a.ask(t, "DELETE", "/signup/"+erased, "", "X-API-Key: "+a.key); got.status != 204 {
		t.Fatalf("erase: %d %s", got.status, got.body)
	}
	link.rate.Store(0)
	s.await(t, "the last event", func() bool { return s.lastID != "" && sequence(s.lastID) > sequence(last) })
	if got := ids(ofKind(s.seen(), "signup")); got[0] != first || len(got) != 2002 || slices.Contains(got, erased) || len(s.allEnds()) != 0 {
		t.Errorf("got %d signups, want 2002 without the erased one; and ends %v", len(got), s.allEnds())
	}
}

// A service that outgrows its machine: its log goes with it to the cluster, and everybody's position and key stays good.
func TestClusterTakesALogOver(t *testing.T) {
	t.Parallel()
	one := start(t)
	ids1 := one.postMany(t, "before", 20)
	keyed, err := one.tryPost("a key", "user_name=keyed")
	if err != nil {
		t.Fatal(err)
	}
	one.ask(t, "DELETE", "/signup/"+ids1[15], "", "X-API-Key: "+one.key)
	one.term()
	one.wait()
	c := startNATS(t, 1)
	two := c.node("PROOF_RETAIN=1000", "PROOF_DATA_DIR="+one.dir)
	two.awaitLog("carried the embedded log over")
	three := c.node("PROOF_RETAIN=1000")
	for _, p := range []*program{two, three} {
		if id, err := p.tryPost("a key", "user_name=again"); id != keyed || err != nil {
			t.Errorf("a retry was answered %s, %v; want %s", id, err, keyed)
		}
		s := p.listen(t, "", "Last-Event-ID: "+ids1[9])
		want := append(append(append([]string{}, ids1[10:15]...), ids1[16:]...), keyed)
		if difference := differ(ids(s.awaitEvents(t, "signup", len(want))), want); difference != "" || !strings.Contains(s.ready(t).data, "complete") {
			t.Errorf("after %s: %s", s.ready(t).data, difference)
		}
	}
	if id := three.post(t); sequence(id) <= sequence(keyed) {
		t.Errorf("a new event is %s, not after %s", id, keyed)
	}
}

// A backup of the directory, taken while the service was stopped, is restored later: positions from what it lacks tell a gap, also
// when as many events have been written again; those from before stay good.
func TestRestoredBackupTellsGaps(t *testing.T) {
	t.Parallel()
	p := start(t)
	before := p.postMany(t, "kept", 5)
	p.term()
	p.wait()
	backup := t.TempDir()
	if err := os.CopyFS(backup, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	p = p.restart()
	lost := p.postMany(t, "lost", 5)
	p.kill()
	p = start(t, "PROOF_DATA_DIR="+backup)
	after := p.postMany(t, "new", 10)
	s := p.listen(t, "", "Last-Event-ID: "+lost[4])
	if !strings.Contains(s.ready(t).data, `"gap"`) || !strings.Contains(s.ready(t).data, `"epoch"`) {
		t.Errorf("a position from the lost part: %s", s.ready(t).data)
	}
	if difference := differ(ids(s.awaitEvents(t, "signup", 15)), append(append([]string{}, before...), after...)); difference != "" {
		t.Error(difference)
	}
	s = p.listen(t, "", "Last-Event-ID: "+before[4])
	if difference := differ(ids(s.awaitEvents(t, "signup", 10)), after); difference != "" || !strings.Contains(s.ready(t).data, "complete") {
		t.Errorf("a position from the kept part: %s, %s", s.ready(t).data, difference)
	}
}

// A service that waits for NATS ends when it is told to; one that finds a stream that is not its own says what to do.
func TestClusterEndsWhileWaiting(t *testing.T) {
	t.Parallel()
	p := launch(t, fmt.Sprint("PROOF_NATS_URL=nats://127.0.0.1:", freePorts(t, 1)[0]))
	p.awaitLog("waiting for it")
	p.term()
	if status := p.wait(); status != 0 {
		t.Errorf("got status %d:\n%s", status, p.stderr)
	}
	c := startNATS(t, 1)
	ask(c, "make a stream", func(ctx context.Context, js jetstream.JetStream) (jetstream.Stream, error) {
		return js.CreateStream(ctx, jetstream.StreamConfig{Name: "proofstream", Subjects: []string{"somebody.else"}})
	})
	p = launch(t, c.env()...)
	if status := p.wait(); status != 1 || !strings.Contains(p.stderr.String(), "PROOF_NATS_STREAM") {
		t.Errorf("got status %d:\n%s", status, p.stderr)
	}
}
