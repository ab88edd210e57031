package main

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestChaos is the sum of all promises of delivery: while backends post and retry, a bad network cuts, resets, delays
// and throttles every stream, and the server is killed with SIGKILL or SIGTERM, and started again, over and
// over. In the end each subscriber's receptions are compared with the log: everything acknowledged is in the log
// once, and whatever is in the log after a subscriber's first cursor has come to it in order, once.
//
// It takes seconds; with PROOF_TEST_LONG=1 five minutes.
func TestChaos(t *testing.T) {
	slow(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	lasts := time.Duration(scaled(12, 300)) * time.Second
	p := start(t, "PROOF_RETAIN=1000000", "PROOF_RETRY=20ms", "PROOF_HEARTBEAT=100ms", "PROOF_BUFFER=16", "PROOF_SHUTDOWN_GRACE=1s")
	first := p.listen(t, "").ready(t).id
	network := startFaultyNetwork(t, strings.TrimPrefix(p.url, "http://"), seed)

	var sources []*source
	for range scaled(40, 200) {
		s := server{url: network.url}.source("")
		s.start(t, true)
		sources = append(sources, s)
	}
	posts := startLoad(t, server{url: network.url, key: testKey}, 0, 4, 0)

	kills, terms := 0, 0
	rng := rand.New(rand.NewPCG(seed, 1))
	for end := time.Now().Add(lasts); time.Now().Before(end); {
		time.Sleep(time.Duration(300+rng.IntN(1500)) * time.Millisecond) // the time between crashes
		if rng.IntN(3) > 0 {
			kills++
			p.kill()
		} else {
			terms++
			p.stop()
		}
		p = p.restart()
	}
	network.faultless.Store(true)
	posts.end()
	acknowledged := posts.byKey
	last := p.post(t, "user_name=last")

	log := ids(p.signupsUpTo(t, first, last))
	got := audit(t, sources, log, last)
	stored := map[string]int{}
	for _, id := range log {
		stored[id]++
	}
	for key, id := range acknowledged {
		if stored[id] != 1 {
			t.Errorf("%s was acknowledged as %s, which is in the log %d times", key, id, stored[id])
		}
	}
	if len(log)-1 != len(acknowledged) { // every key was retried until it was acknowledged
		t.Errorf("%d keys were acknowledged, and %d signups are in the log", len(acknowledged), len(log)-1)
	}
	t.Logf("published %d, received %d by %d subscribers, repeated %d, lost %d, gaps %d; %d resumes were complete, %d of them wrongly",
		len(log), got.received, len(sources), got.repeated, got.lost, got.gaps, got.complete, got.broken)
	t.Logf("%d kills, %d stops, %d connections cut, %d reset, %d refused, %d throttled, %d streams begun, %d posts retried",
		kills, terms, network.cuts.Load(), network.resets.Load(), network.refusals.Load(), network.throttled.Load(), got.begun, posts.tries)
	if got.lost > 0 || got.repeated > 0 || got.gaps > 0 {
		t.Error("lost, repeated and gaps must be 0: the retention kept everything")
	}
	if got.broken > 0 || got.complete == 0 {
		t.Error("a resume is complete only with everything after its cursor")
	}
	if len(acknowledged) == 0 || got.begun < 3*len(sources) || kills == 0 || network.cuts.Load()+network.resets.Load() == 0 {
		t.Error("too little happened to prove anything")
	}
}

// signupsUpTo returns all signups after a cursor up to the one with an id, as the log has them.
func (p *program) signupsUpTo(t testing.TB, from, last string) []event {
	t.Helper()
	s := p.follow(t, "?last_event_id="+from)
	for have, done := 0, false; !done; { // as long as it goes on: there may be very many
		s.await(t, "more signups, up to the newest", func() bool {
			done = len(s.events) > 0 && s.events[len(s.events)-1].id == last
			return done || len(s.events) >= have+500
		})
		have += 500
	}
	return ofKind(s.received(), "signup")
}

// counts is what an audit of subscribers finds.
type counts struct{ received, repeated, lost, gaps, begun, complete, broken int }

// audit waits until each source has the last signup, and compares what it received with the log.
func audit(t testing.TB, sources []*source, log []string, last string) (sum counts) {
	t.Helper()
	for i, s := range sources {
		s.await(t, "the last signup", func() bool { return slices.ContainsFunc(s.events, func(e event) bool { return e.id == last }) })
		events := s.received()
		var got []string
		for _, e := range events {
			switch {
			case e.kind == "signup":
				got = append(got, e.id)
			case e.kind == "ready":
				sum.begun++
				if strings.Contains(e.data, `"gap"`) {
					sum.gaps++
					t.Logf("subscriber %d got %s", i, e.data)
				}
			}
		}
		complete, broken := completeResumes(t, events, log)
		sum.complete, sum.broken = sum.complete+complete, sum.broken+broken
		// What comes before its first cursor it does not get.
		from := slices.IndexFunc(log, func(id string) bool { return sequence(id) > sequence(ofKind(events, "ready")[0].id) })
		want := map[string]bool{}
		for _, id := range log[from:] {
			want[id] = true
		}
		sum.received += len(got)
		seen, newest := map[string]bool{}, 0
		for _, id := range got {
			if seen[id] {
				sum.repeated++
			}
			if !want[id] || sequence(id) < newest {
				t.Errorf("subscriber %d: %s is not of the log, or out of order", i, id)
			}
			seen[id], newest = true, sequence(id)
		}
		for id := range want {
			if !seen[id] {
				sum.lost++
				t.Logf("subscriber %d lost %s", i, id)
			}
		}
	}
	return sum
}

// completeResumes checks each connection that began with "complete": it must go on from the last id that its subscriber had,
// and bring the log from there event by event, as far as it came. It returns how many there were, and how many did not.
func completeResumes(t testing.TB, events []event, log []string) (complete, broken int) {
	t.Helper()
	next, last := -1, "" // index in the log of what must come next; -1 after a gap
	for _, e := range events {
		switch {
		case e.kind == "ready" && strings.Contains(e.data, `"replay":"complete"`):
			complete++
			if e.id != last {
				broken++
				t.Logf("connection %d resumes from %s, its subscriber was at %s", e.conn, e.id, last)
			}
			next, _ = slices.BinarySearchFunc(log, sequence(e.id)+1, func(id string, seq int) int { return sequence(id) - seq })
		case e.kind == "ready":
			next = -1
		case e.kind == "signup" && next >= 0:
			if next >= len(log) || e.id != log[next] {
				broken++
				t.Logf("connection %d began with complete, and %s is not what follows", e.conn, e.id)
				next = -1
				break
			}
			next++
		}
		last = e.id
	}
	return complete, broken
}
