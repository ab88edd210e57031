package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
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
	if line := other.awaitLog("has other settings"); !strings.Contains(line, "is 100, not 50") || c.info().Config.MaxMsgs != 100 {
		t.Errorf("the stream keeps %d; told: %s", c.info().Config.MaxMsgs, line)
	}
	c.node("PROOF_RETAIN=50", "PROOF_NATS_UPDATE=true")
	if n := c.info().Config.MaxMsgs; n != 50 {
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
	b.listen(t, "")
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
		return js.CreateStream(ctx, jetstream.StreamConfig{Name: defaultStream, Subjects: []string{"somebody.else"}})
	})
	p = launch(t, c.env()...)
	if status := p.wait(); status != 1 || !strings.Contains(p.stderr.String(), "PROOF_NATS_STREAM") {
		t.Errorf("got status %d:\n%s", status, p.stderr)
	}
}

// What a node answers about the log is what the log has right after a post or an erasure was answered, by whatever node:
// also when the stream keeps less than each node was told to.
func TestClusterNumbersAgree(t *testing.T) {
	t.Parallel()
	c := startNATS(t, 1)
	c.node("PROOF_RETAIN=10").post(t)
	nodes := []*program{c.node("PROOF_RETAIN=1000"), c.node("PROOF_RETAIN=5")}
	var kept []string
	check := func() {
		t.Helper()
		for i, p := range nodes {
			if got, want := p.get(t, "/stats").body, fmt.Sprintf(`"events":%d}`, len(kept)); !strings.Contains(got, want) {
				t.Errorf("node %d: got %s, want %s", i, got, want)
			}
			body := p.get(t, "/recent?limit=20").body
			for _, id := range kept {
				if !strings.Contains(body, `"`+id+`"`) {
					t.Errorf("node %d: /recent lacks %s: %s", i, id, body)
				}
			}
			if got := strings.Count(body, `"user_name"`); got != len(kept) {
				t.Errorf("node %d: /recent has %d events, want %d", i, got, len(kept))
			}
		}
	}
	for i := range 25 {
		kept = append(kept, nodes[i%2].post(t))
		kept = kept[max(0, len(kept)-10):]
		if i >= 10 {
			check()
		}
	}
	for i := range 3 {
		id := kept[len(kept)-1-i]
		if a := nodes[i%2].ask(t, "DELETE", "/signup/"+id, "", "X-API-Key: "+nodes[0].key); a.status != 204 {
			t.Fatalf("erase: %d %s", a.status, a.body)
		}
		kept = slices.DeleteFunc(kept, func(have string) bool { return have == id })
		if i == 0 {
			kept = kept[1:] // the log was full: the retraction took the room of the oldest; of those after it the erased had it
		}
		check()
	}
}
