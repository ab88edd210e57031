package e2e

import (
	"slices"
	"strings"
	"testing"

	"proofstream/stream/ssetest"
)

// SignupsUpTo returns the signups that the log has after the cursor from, up to the id last.
func (p *Program) SignupsUpTo(t testing.TB, from, last string) []ssetest.Event {
	t.Helper()
	s := p.Follow(t, "?last_event_id="+from)
	for have, done := 0, false; !done; { // waits for 500 at a time: waitfor.Patience bounds each wait, not the sum
		s.Await(t, "more signups, up to the newest", func() bool {
			done = len(s.Events) > 0 && s.Events[len(s.Events)-1].ID == last
			return done || len(s.Events) >= have+500
		})
		have += 500
	}
	return OfKind(s.Received(), "signup")
}

// AuditResult counts what the subscribers of an audit received.
type AuditResult struct {
	Received int // signups, at all subscribers together
	Repeated int // of these, the ones that their subscriber already had
	Lost     int // signups that a subscriber did not receive
	Streams  int // connections that got a ready event
	Gaps     int // of these, the ones with a gap
	Complete int // of these, the ones that resumed without a gap
	Broken   int // of the complete ones, those that repeated or left out an event
}

// Audit waits until each source has the signup last, and compares the received signups with the ids in log. It fails the test for
// ids that are not in the log or out of order; the rest it counts.
func Audit(t testing.TB, sources []*Source, log []string, last string) (sum AuditResult) {
	t.Helper()
	for i, s := range sources {
		s.Await(t, "the last signup", func() bool { return slices.ContainsFunc(s.Events, func(e ssetest.Event) bool { return e.ID == last }) })
		sum.add(t, i, s.Received(), log)
	}
	return sum
}

// add adds the results of one subscriber, which has number i in messages.
func (sum *AuditResult) add(t testing.TB, i int, events []ssetest.Event, log []string) {
	t.Helper()
	ready := OfKind(events, "ready")
	for _, e := range ready {
		sum.Streams++
		if strings.Contains(e.Data, `"gap"`) {
			sum.Gaps++
			t.Logf("subscriber %d got %s", i, e.Data)
		}
	}
	complete, broken := completeResumes(t, events, log)
	sum.Complete, sum.Broken = sum.Complete+complete, sum.Broken+broken
	want := map[string]bool{}
	for _, id := range log {
		if Sequence(id) > Sequence(ready[0].ID) { // a subscriber gets nothing from before its first cursor
			want[id] = true
		}
	}
	got := IDs(OfKind(events, "signup"))
	sum.Received += len(got)
	seen, newest := map[string]bool{}, 0
	for _, id := range got {
		if seen[id] {
			sum.Repeated++
		}
		if !want[id] || Sequence(id) < newest {
			t.Errorf("subscriber %d: %s is not in the log, or out of order", i, id)
		}
		seen[id], newest = true, Sequence(id)
	}
	for id := range want {
		if !seen[id] {
			sum.Lost++
			t.Logf("subscriber %d lost %s", i, id)
		}
	}
}

// completeResumes counts the connections whose ready event says "complete". Such a connection must continue from the last id of its
// subscriber and bring the log from there, event by event. broken counts those that do not.
func completeResumes(t testing.TB, events []ssetest.Event, log []string) (complete, broken int) {
	t.Helper()
	next, last := -1, "" // index in the log of the next event; -1 when unknown
	for _, e := range events {
		switch {
		case e.Kind == "ready" && strings.Contains(e.Data, `"replay":"complete"`):
			complete++
			if e.ID != last {
				broken++
				t.Logf("connection %d resumes from %s, its subscriber was at %s", e.Conn, e.ID, last)
			}
			next, _ = slices.BinarySearchFunc(log, Sequence(e.ID)+1, func(id string, seq int) int { return Sequence(id) - seq })
		case e.Kind == "ready":
			next = -1
		case e.Kind == "signup" && next >= 0:
			if next >= len(log) || e.ID != log[next] {
				broken++
				t.Logf("connection %d is complete, and %s is not the next event", e.Conn, e.ID)
				next = -1
				break
			}
			next++
		}
		last = e.ID
	}
	return complete, broken
}
