package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"proofstream/stream/ssetest"
	"proofstream/stream/waitfor"
)

// Tally counts the results of a Load.
type Tally struct {
	Acknowledged int           // posts
	Stored       int           // events in the log, as the caller of Finish counted them
	Received     int           // different signups, summed over all subscribers
	Repeated     int           // signups that a subscriber already had
	Lost         int           // acknowledged signups that a subscriber did not receive
	Retried      int           // failed attempts to post
	Refused      int           // streams with a status other than 200
	PostStall    time.Duration // longest time between two acknowledgements
	FanOutStall  time.Duration // longest time between two signups at one subscriber
	Late         time.Duration // longest time from an acknowledgement to the arrival at a subscriber
	LateBefore   time.Duration // Late of what was acknowledged before the latest Load.AwaitArrivals
}

// String returns all counts as one line of text.
func (a Tally) String() string {
	return fmt.Sprintf("acknowledged %d, stored %d, received %d, repeated %d, lost %d; retried %d, streams refused %d; "+
		"longest stall of posts %v, of fan-out %v; latest arrival after an acknowledgement %v",
		a.Acknowledged, a.Stored, a.Received, a.Repeated, a.Lost, a.Retried, a.Refused,
		a.PostStall.Round(time.Millisecond), a.FanOutStall.Round(time.Millisecond), a.Late.Round(time.Millisecond))
}

// Finish waits until every subscriber has every acknowledged signup, up to waitfor.Patience each, and counts. stored is the number of
// events in the log. Stop must have returned.
func (l *Load) Finish(stored int) Tally {
	l.t.Helper()
	for _, s := range l.Sources {
		waitfor.Within(waitfor.Patience, func() bool { // a subscriber that lacks an event is counted below
			s.Mu.Lock()
			defer s.Mu.Unlock()
			return len(s.Events) >= len(l.Acked) && len(countIDs(s.Events)) == len(l.Acked)
		})
	}
	a := Tally{Acknowledged: len(l.Acked), Stored: stored, PostStall: l.stall, Retried: l.Tries}
	for _, s := range l.Sources {
		l.count(&a, s)
	}
	return a
}

// countIDs returns how often each signup arrived.
func countIDs(events []ssetest.Event) map[string]int {
	times := map[string]int{}
	for _, e := range OfKind(events, "signup") {
		times[e.ID]++
	}
	return times
}

// count adds the results of one subscriber. It fails the test when the subscriber got a gap.
func (l *Load) count(a *Tally, s *Source) {
	l.countDelays(a, OfKind(s.Received(), "signup"))
	times := countIDs(s.Received())
	for id := range l.Acked {
		if times[id] == 0 {
			a.Lost++
		}
	}
	for _, n := range times {
		a.Received++
		a.Repeated += n - 1
	}
	for _, e := range s.AllEnds() {
		if e.Status != 0 && e.Status != 200 {
			a.Refused++
		}
	}
	for _, e := range OfKind(s.Received(), "ready") {
		if strings.Contains(e.Data, `"gap"`) {
			l.t.Errorf("a subscriber got a gap: %s", e.Data)
		}
	}
}

// countDelays adds the delays of the signups of one subscriber. Of a repeated signup, the first arrival counts.
func (l *Load) countDelays(a *Tally, signups []ssetest.Event) {
	arrived := map[string]bool{}
	for i, e := range signups {
		if i > 0 {
			a.FanOutStall = max(a.FanOutStall, e.At.Sub(signups[i-1].At))
		}
		if acked, ok := l.Acked[e.ID]; ok && !arrived[e.ID] {
			a.Late = max(a.Late, e.At.Sub(acked))
			if acked.Before(l.phase) {
				a.LateBefore = max(a.LateBefore, e.At.Sub(acked))
			}
		}
		arrived[e.ID] = true
	}
}

// Check logs the tally and checks what must hold for every load: each acknowledged post is one event, every subscriber received it
// once, all in the same order, and a retry returns its id (for at most 20 of the posts).
func (a Tally) Check(t *testing.T, l *Load) {
	t.Helper()
	t.Log(a)
	if a.Stored != a.Acknowledged || a.Lost != 0 || a.Repeated != 0 || a.Refused != 0 || a.Received != a.Acknowledged*len(l.Sources) {
		t.Errorf("not every acknowledged post is one event for every subscriber: %v", a)
	}
	orders := map[string]bool{}
	for _, s := range l.Sources {
		orders[strings.Join(IDs(OfKind(s.Received(), "signup")), " ")] = true
	}
	if len(orders) != 1 {
		t.Errorf("subscribers saw %d different orders", len(orders))
	}
	n := 0
	for key, id := range l.ByKey {
		if n++; n > 20 {
			break
		}
		if again, duplicate, err := l.to.PostKeyed(key, "user_name=other"); again != id || !duplicate || err != nil {
			t.Errorf("a retry of %s: got %s, duplicate %v, %v; want %s, true", key, again, duplicate, err, id)
		}
	}
}
