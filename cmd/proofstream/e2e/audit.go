package e2e

import (
	"slices"
	"strings"
	"testing"

	"proofstream/stream/ssetest"
)

// SignupsUpTo returns all signups after a cursor up to the one with an id, as the log has them.
func (p *Program) SignupsUpTo(t testing.TB, from, last string) []ssetest.Event {
	t.Helper()
	s := p.Follow(t, "?last_event_id="+from)
	for have, done := 0, false; !done; { // as long as it goes on: there may be very many
		s.Await(t, "more signups, up to the newest", func() bool {
			done = len(s.Events) > 0 && s.Events[len(s.Events)-1].ID == last
			return done || len(s.Events) >= have+500
		})
		have += 500
	}
	return OfKind(s.Received(), "signup")
}

// counts is what an audit of subscribers finds.
type counts struct{ Received, Repeated, Lost, Gaps, Begun, Complete, Broken int }

// Audit waits until each source has the last signup, and compares what it received with the log.
func Audit(t testing.TB, sources []*Source, log []string, last string) (sum counts) {
	t.Helper()
	for i, s := range sources {
		s.Await(t, "the last signup", func() bool { return slices.ContainsFunc(s.Events, func(e ssetest.Event) bool { return e.ID == last }) })
		events := s.Received()
		var got []string
		for _, e := range events {
			switch {
			case e.Kind == "signup":
				got = append(got, e.ID)
			case e.Kind == "ready":
				sum.Begun++
				if strings.Contains(e.Data, `"gap"`) {
					sum.Gaps++
					t.Logf("subscriber %d got %s", i, e.Data)
				}
			}
		}
		complete, broken := completeResumes(t, events, log)
		sum.Complete, sum.Broken = sum.Complete+complete, sum.Broken+broken
		// What comes before its first cursor it does not get.
		from := slices.IndexFunc(log, func(id string) bool { return Sequence(id) > Sequence(OfKind(events, "ready")[0].ID) })
		want := map[string]bool{}
		for _, id := range log[from:] {
			want[id] = true
		}
		sum.Received += len(got)
		seen, newest := map[string]bool{}, 0
		for _, id := range got {
			if seen[id] {
				sum.Repeated++
			}
			if !want[id] || Sequence(id) < newest {
				t.Errorf("subscriber %d: %s is not of the log, or out of order", i, id)
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
	return sum
}

// completeResumes checks each connection that began with "complete": it must go on from the last id that its subscriber had,
// and bring the log from there event by event, as far as it came. It returns how many there were, and how many did not.
func completeResumes(t testing.TB, events []ssetest.Event, log []string) (complete, broken int) {
	t.Helper()
	next, last := -1, "" // index in the log of what must come next; -1 after a gap
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
				t.Logf("connection %d began with complete, and %s is not what follows", e.Conn, e.ID)
				next = -1
				break
			}
			next++
		}
		last = e.ID
	}
	return complete, broken
}
