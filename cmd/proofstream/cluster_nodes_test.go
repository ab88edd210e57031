package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// /stats counts the streams of all nodes, its own at once; those of a node that dies or stops no more.
func TestClusterCountsEveryNode(t *testing.T) {
	t.Parallel()
	c := startNATS(t, 1)
	a, b := c.node(), c.node()
	for range 3 {
		a.listen(t, "")
	}
	if n := a.subscribers(t); n < 3 {
		t.Errorf("a node with three streams of its own counts %d", n)
	}
	kept := b.listen(t, "")
	b.listen(t, "")
	a.awaitSubscribers(t, 5)
	b.awaitSubscribers(t, 5)
	kept.close()
	a.awaitSubscribers(t, 4)
	b.kill()
	a.awaitSubscribers(t, 3)
	b = b.restart()
	b.listen(t, "")
	a.awaitSubscribers(t, 4)
	b.stop()
	a.awaitSubscribers(t, 3)
}

// A node whose settings differ says so and leaves the stream as it is, unless PROOF_NATS_UPDATE lets it change it.
func TestClusterKeepsItsSettings(t *testing.T) {
	t.Parallel()
	c := startNATS(t, 1)
	c.node("PROOF_RETAIN=100").post(t)
	other := c.node("PROOF_RETAIN=50")
	if line := other.awaitLog("has other settings"); !strings.Contains(line, "is 100, not 50") || c.info().Config.MaxMsgs != 100 {
		t.Errorf("the stream keeps %d; logged: %s", c.info().Config.MaxMsgs, line)
	}
	c.node("PROOF_RETAIN=50", "PROOF_NATS_UPDATE=true")
	if n := c.info().Config.MaxMsgs; n != 50 {
		t.Errorf("after PROOF_NATS_UPDATE=true the stream keeps %d, want 50", n)
	}
}

// A node that the log reaches over a slow line is not ready, and exports its lag. It serves cursors that it has not reached
// yet: nothing is repeated, and nothing lost.
func TestClusterLaggingNode(t *testing.T) {
	t.Parallel()
	c := startNATS(t, 1)
	a := c.node()
	link := startSlowLink(t, c.servers[0].port)
	b := start(t, append(c.env(metricsOn(t)), "PROOF_NATS_URL=nats://"+link.addr)...)
	b.listen(t, "")
	a.post(t)
	link.rate.Store(-1)
	acknowledged := a.burst(t, 3000)
	link.rate.Store(150_000)
	newest := acknowledged[len(acknowledged)-1]
	until(t, patience, func() bool { return b.get(t, "/ready").body == "behind" }, func() string { return b.get(t, "/ready").body })
	if b.metric(t, "proofstream_log_lag_events") == 0 {
		t.Error("the metric of a lagging node says that it does not lag")
	}
	ahead := b.follow(t, "", "Last-Event-ID: "+newest)
	middle := b.follow(t, "", "Last-Event-ID: "+acknowledged[len(acknowledged)-10])
	link.rate.Store(0)
	until(t, patience, func() bool { return b.get(t, "/ready").body == "ready" }, func() string { return b.get(t, "/ready").body })
	ahead.ready(t) // the log may not have answered in time before: then it was told to retry later
	last := a.post(t)
	if got := ids(ahead.awaitEvents(t, "signup", 1)); got[0] != last || !strings.Contains(ahead.ready(t).data, "complete") {
		t.Errorf("from %s on: got %v after %s, want only %s", newest, got, ahead.ready(t).data, last)
	}
	want := append(acknowledged[len(acknowledged)-9:], last)
	if d := difference(ids(middle.awaitEvents(t, "signup", len(want))), want); d != "" {
		t.Errorf("ten before the newest: %s", d)
	}
}

// A signup that one node erases while another lags is no gap there.
func TestClusterEraseElsewhere(t *testing.T) {
	t.Parallel()
	c := startNATS(t, 1)
	a := c.node()
	link := startSlowLink(t, c.servers[0].port)
	b := start(t, append(c.env(), "PROOF_NATS_URL=nats://"+link.addr)...)
	s := b.follow(t, "")
	first := a.post(t)
	s.awaitEvents(t, "signup", 1)
	link.rate.Store(-1)
	a.burst(t, 2000) // more than what is on its way to the other node at once
	erased := a.post(t, "user_name=erased")
	last := a.post(t)
	a.erase(t, erased)
	link.rate.Store(0)
	s.await(t, "the last event", func() bool { return s.lastID != "" && sequence(s.lastID) > sequence(last) })
	if got := ids(ofKind(s.received(), "signup")); got[0] != first || len(got) != 2002 || slices.Contains(got, erased) || len(s.allEnds()) != 0 {
		t.Errorf("got %d signups, want 2002 without the erased one; and ends %v", len(got), s.allEnds())
	}
}

// A service that waits for NATS ends on SIGTERM; one that finds a stream that is not its own says what to do.
func TestClusterEndsWhileWaiting(t *testing.T) {
	slow(t)
	t.Parallel()
	p := launch(t, fmt.Sprint("PROOF_NATS_URL=nats://127.0.0.1:", freePorts(t, 1)[0]))
	p.awaitLog("waiting for it")
	p.stop()
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
// also when the stream keeps less than each node is configured to.
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
		nodes[i%2].erase(t, id)
		kept = slices.DeleteFunc(kept, func(have string) bool { return have == id })
		if i == 0 {
			kept = kept[1:] // the log was full: the retraction took the room of the oldest; of those after it the erased had it
		}
		check()
	}
}
