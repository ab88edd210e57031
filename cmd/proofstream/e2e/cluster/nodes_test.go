package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/natslog/natstest"
	"proofstream/stream/waitfor"
)

// /stats counts the streams of all nodes, and those of its own node at once. It stops counting those of a node that is killed or stopped.
func TestClusterCountsEveryNode(t *testing.T) {
	t.Parallel()
	c := e2e.StartNATS(t, 1)
	a, b := c.Node(), c.Node()
	for range 3 {
		a.Listen(t, "")
	}
	if n := a.Subscribers(t); n < 3 {
		t.Errorf("a node with three streams of its own counts %d", n)
	}
	kept := b.Listen(t, "")
	b.Listen(t, "")
	a.AwaitSubscribers(t, 5)
	b.AwaitSubscribers(t, 5)
	kept.Close()
	a.AwaitSubscribers(t, 4)
	b.Kill()
	a.AwaitSubscribers(t, 3)
	b = b.Restart()
	b.Listen(t, "")
	a.AwaitSubscribers(t, 4)
	b.Stop()
	a.AwaitSubscribers(t, 3)
}

// A node whose settings differ logs that and does not change the stream, except with PROOF_NATS_UPDATE=true.
func TestClusterKeepsItsSettings(t *testing.T) {
	t.Parallel()
	c := e2e.StartNATS(t, 1)
	c.Node("PROOF_RETAIN=100").Post(t)
	other := c.Node("PROOF_RETAIN=50")
	if line := other.AwaitLog("settings differ"); !strings.Contains(line, "is 100, not 50") || c.Info().Config.MaxMsgs != 100 {
		t.Errorf("the stream keeps %d; logged: %s", c.Info().Config.MaxMsgs, line)
	}
	c.Node("PROOF_RETAIN=50", "PROOF_NATS_UPDATE=true")
	if n := c.Info().Config.MaxMsgs; n != 50 {
		t.Errorf("after PROOF_NATS_UPDATE=true the stream keeps %d, want 50", n)
	}
}

// A node that lags behind the log is not ready, and exports its lag. A cursor that it has not reached yet resumes without a repeated or
// lost event.
func TestClusterLaggingNode(t *testing.T) {
	t.Parallel()
	c := e2e.StartNATS(t, 1)
	a := c.Node()
	link := e2e.StartSlowLink(t, c.Servers[0].Port)
	b := e2e.Start(t, append(c.Env(e2e.MetricsOn(t)), "PROOF_NATS_URL=nats://"+link.Addr)...)
	b.Listen(t, "")
	a.Post(t)
	// The node is stopped during the posts, so that it lags afterwards, however fast this machine is. The link then takes about a
	// thousand events a second: slow enough to see the lag, and fast enough for responses, which wait behind up to half a second of
	// events that NATS has sent.
	b.Cmd.Process.Signal(syscall.SIGSTOP)
	acknowledged := a.Burst(t, 5000)
	link.Rate.Store(300_000)
	b.Cmd.Process.Signal(syscall.SIGCONT)
	waitfor.Until(t, waitfor.Patience, func() bool { return b.Get(t, "/ready").Body == "behind" }, func() string { return b.Get(t, "/ready").Body })
	newest := acknowledged[len(acknowledged)-1]
	if b.Metric(t, "proofstream_log_lag_events") == 0 {
		t.Error("the metric of a lagging node says that it does not lag")
	}
	ahead := b.Follow(t, "", "Last-Event-ID: "+newest)
	middle := b.Follow(t, "", "Last-Event-ID: "+acknowledged[len(acknowledged)-10])
	link.Rate.Store(0)
	waitfor.Until(t, waitfor.Patience, func() bool { return b.Get(t, "/ready").Body == "ready" }, func() string { return b.Get(t, "/ready").Body })
	ahead.Ready(t) // a slow response of the log may have ended earlier attempts with busy
	last := a.Post(t)
	if got := e2e.IDs(ahead.AwaitEvents(t, "signup", 1)); got[0] != last || !strings.Contains(ahead.Ready(t).Data, "complete") {
		t.Errorf("from %s on: got %v after %s, want only %s", newest, got, ahead.Ready(t).Data, last)
	}
	want := append(acknowledged[len(acknowledged)-9:], last)
	if d := e2e.Difference(e2e.IDs(middle.AwaitEvents(t, "signup", len(want))), want); d != "" {
		t.Errorf("ten before the newest: %s", d)
	}
}

// An event that one node erases while another lags is no gap on the other.
func TestClusterEraseElsewhere(t *testing.T) {
	t.Parallel()
	c := e2e.StartNATS(t, 1)
	a := c.Node()
	link := e2e.StartSlowLink(t, c.Servers[0].Port)
	b := e2e.Start(t, append(c.Env(), "PROOF_NATS_URL=nats://"+link.Addr)...)
	s := b.Follow(t, "")
	first := a.Post(t)
	s.AwaitEvents(t, "signup", 1)
	link.Rate.Store(-1)
	a.Burst(t, 2000) // more than the buffers between NATS and the other node hold
	erased := a.Post(t, "user_name=erased")
	last := a.Post(t)
	a.Erase(t, erased)
	link.Rate.Store(0)
	s.Await(t, "the last event", func() bool { return s.LastID != "" && e2e.Sequence(s.LastID) > e2e.Sequence(last) })
	keyed, _, err := a.PostKeyed("order-1042")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/signup?idempotency_key=order-1042": 204, "/signup?idempotency_key=order-1043": 404} {
		if got := b.Request(t, "DELETE", path, "", "Authorization: Bearer "+b.Key).Status; got != want {
			t.Errorf("DELETE %s on the other node: got %d, want %d", path, got, want)
		}
	}
	if retracted := s.AwaitEvents(t, "retract", 2)[1].Data; !strings.Contains(retracted, keyed) {
		t.Errorf("retracted %s, want %s", retracted, keyed)
	}
	if got := e2e.IDs(e2e.OfKind(s.Received(), "signup")); got[0] != first || len(got) != 2003 || slices.Contains(got, erased) || len(s.AllEnds()) != 0 {
		t.Errorf("got %d signups, want 2003 without the erased one; and ends %v", len(got), s.AllEnds())
	}
}

// A service that waits for NATS exits on SIGTERM. A service that finds a stream with other subjects exits and says what to change.
func TestClusterEndsWhileWaiting(t *testing.T) {
	e2e.Slow(t)
	t.Parallel()
	p := e2e.Launch(t, fmt.Sprint("PROOF_NATS_URL=nats://127.0.0.1:", natstest.FreePorts(t, 1)[0]))
	p.AwaitLog("waiting for the NATS cluster")
	p.Stop()
	c := e2e.StartNATS(t, 1)
	natstest.Ask(c.Cluster, "make a stream", func(ctx context.Context, js jetstream.JetStream) (jetstream.Stream, error) {
		return js.CreateStream(ctx, jetstream.StreamConfig{Name: e2e.DefaultStream, Subjects: []string{"another.program"}})
	})
	p = e2e.Launch(t, c.Env()...)
	if status := p.Wait(); status != 1 || !strings.Contains(p.Stderr.String(), "PROOF_NATS_STREAM") {
		t.Errorf("got status %d:\n%s", status, p.Stderr)
	}
}

// Right after the response to a post or an erasure on any node, /stats and /recent of every node agree with the log. This also holds
// when the stream keeps fewer events than a node is configured to.
func TestClusterNumbersAgree(t *testing.T) {
	t.Parallel()
	c := e2e.StartNATS(t, 1)
	c.Node("PROOF_RETAIN=10").Post(t)
	nodes := []*e2e.Program{c.Node("PROOF_RETAIN=1000"), c.Node("PROOF_RETAIN=5")}
	var kept []string
	check := func() {
		t.Helper()
		for i, p := range nodes {
			if got, want := p.Get(t, "/stats").Body, fmt.Sprintf(`"events":%d}`, len(kept)); !strings.Contains(got, want) {
				t.Errorf("node %d: got %s, want %s", i, got, want)
			}
			body := p.Get(t, "/recent?limit=20").Body
			for _, id := range kept {
				if !strings.Contains(body, `"`+id+`"`) {
					t.Errorf("node %d: /recent lacks %s: %s", i, id, body)
				}
			}
			if got := strings.Count(body, `"id":`); got != len(kept) {
				t.Errorf("node %d: /recent has %d events, want %d", i, got, len(kept))
			}
		}
	}
	for i := range 25 {
		kept = append(kept, nodes[i%2].Post(t))
		kept = kept[max(0, len(kept)-10):]
		if i >= 10 {
			check()
		}
	}
	for i := range 3 {
		id := kept[len(kept)-1-i]
		nodes[i%2].Erase(t, id)
		kept = slices.DeleteFunc(kept, func(have string) bool { return have == id })
		if i == 0 {
			kept = kept[1:] // the log was full: the first retraction pushed out the oldest event, the later ones take the place of the erased events
		}
		check()
	}
}
