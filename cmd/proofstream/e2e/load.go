package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"proofstream/stream/ssetest"
	"proofstream/stream/waitfor"
)

// load is backends that post and browsers that listen at one address. Each post has a key and is tried again until it is
// acknowledged, so that in the end there must be one event for each.
type load struct {
	t       *testing.T
	to      Server
	Sources []*Source
	stop    context.CancelFunc
	posting sync.WaitGroup
	phase   time.Time

	mu     sync.Mutex
	Acked  map[string]time.Time // by id
	ByKey  map[string]string    // id
	newest time.Time            // of an acknowledgement
	stall  time.Duration        // longest time between two
	Tries  int                  // posts that had to be tried again
}

// StartLoad begins to listen, then to post. Each poster pauses after each post.
func StartLoad(t *testing.T, to Server, listeners, posters int, pause time.Duration) *load {
	t.Helper()
	l := &load{t: t, to: to, Acked: map[string]time.Time{}, ByKey: map[string]string{}}
	for range listeners {
		s := to.Source("")
		s.Start(t, true)
		l.Sources = append(l.Sources, s)
	}
	for _, s := range l.Sources {
		s.Await(t, "the opening frame", func() bool { return len(OfKind(s.Events, "ready")) > 0 })
	}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(context.Background())
	l.newest = time.Now()
	for w := range posters {
		l.posting.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				l.post(fmt.Sprint(w, "/", i))
				time.Sleep(pause)
			}
		})
	}
	t.Cleanup(l.stop)
	return l
}

// post posts until it is acknowledged.
func (l *load) post(key string) {
	for deadline := time.Now().Add(2 * waitfor.Patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		id, _, err := l.to.PostKeyed(key, "user_name="+key)
		l.mu.Lock()
		if err == nil {
			now := time.Now()
			l.stall = max(l.stall, now.Sub(l.newest))
			l.Acked[id], l.ByKey[key], l.newest = now, id, now
			l.mu.Unlock()
			return
		}
		l.Tries++
		l.mu.Unlock()
	}
	l.t.Errorf("post %s was not acknowledged within %v", key, 2*waitfor.Patience)
}

// posted returns how many posts were acknowledged.
func (l *load) posted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.Acked)
}

// IDs returns those of the posts that were acknowledged, in the order of the log.
func (l *load) IDs() (ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.Acked {
		ids = append(ids, id)
	}
	sortIDs(ids)
	return ids
}

// LongestStall returns the longest time between two acknowledgements so far.
func (l *load) LongestStall() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stall
}

// AwaitMore waits until n more posts are acknowledged.
func (l *load) AwaitMore(n int) {
	l.t.Helper()
	before := l.posted()
	waitfor.Until(l.t, 2*waitfor.Patience, func() bool { return l.posted() >= before+n }, func() string { return fmt.Sprint(l.posted()-before, " posts") })
}

// AwaitArrivals waits until everybody has what was acknowledged up to now, and begins a new phase.
func (l *load) AwaitArrivals() {
	l.t.Helper()
	l.phase = time.Now()
	ids := l.IDs()
	newest := Sequence(ids[len(ids)-1])
	for _, s := range l.Sources {
		s.Await(l.t, "the newest event", func() bool { return Sequence(s.LastID) >= newest })
	}
}

// tally is what became of a load.
type tally struct {
	Acknowledged, Stored, Received, Repeated, Lost, Retried, Refused int
	PostStall, FanOutStall                                           time.Duration // longest time without any, anywhere
	Late                                                             time.Duration // longest from acknowledgement to arrival
	LateBefore                                                       time.Duration // the same, of what was acknowledged before load.phase
}

func (a tally) String() string {
	return fmt.Sprintf("acknowledged %d, stored %d, received %d, repeated %d, lost %d; retried %d, streams refused %d; "+
		"longest stall of posts %v, of fan-out %v; latest arrival after an acknowledgement %v",
		a.Acknowledged, a.Stored, a.Received, a.Repeated, a.Lost, a.Retried, a.Refused,
		a.PostStall.Round(time.Millisecond), a.FanOutStall.Round(time.Millisecond), a.Late.Round(time.Millisecond))
}

// Finish waits until every listener has everything, and counts. The posting has ended.
func (l *load) Finish(stored int) tally {
	l.t.Helper()
	for _, s := range l.Sources {
		waitfor.Within(waitfor.Patience, func() bool { // who lacks something is counted below
			s.Mu.Lock()
			defer s.Mu.Unlock()
			return len(s.Events) >= len(l.Acked) && len(countIDs(s.Events)) == len(l.Acked)
		})
	}
	a := tally{Acknowledged: len(l.Acked), Stored: stored, PostStall: l.stall, Retried: l.Tries}
	for _, s := range l.Sources {
		l.count(&a, s)
	}
	return a
}

// countIDs returns how often each signup came.
func countIDs(events []ssetest.Event) map[string]int {
	times := map[string]int{}
	for _, e := range OfKind(events, "signup") {
		times[e.ID]++
	}
	return times
}

// End ends the posting.
func (l *load) End() {
	l.stop()
	l.posting.Wait()
}

// count adds what one listener got. An event that came twice is a repetition, also after a gap.
func (l *load) count(a *tally, s *Source) {
	times := map[string]int{}
	var last time.Time
	for _, e := range OfKind(s.Received(), "signup") {
		times[e.ID]++
		if !last.IsZero() {
			a.FanOutStall = max(a.FanOutStall, e.At.Sub(last))
		}
		last = e.At
		if at, ok := l.Acked[e.ID]; ok && times[e.ID] == 1 {
			a.Late = max(a.Late, e.At.Sub(at))
			if at.Before(l.phase) {
				a.LateBefore = max(a.LateBefore, e.At.Sub(at))
			}
		}
	}
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
			l.t.Errorf("a listener got a gap: %s", e.Data)
		}
	}
}

// Check says what must hold of every tally: one event for each acknowledged post, each received by everybody, once.
func (a tally) Check(t *testing.T, l *load) {
	t.Helper()
	t.Log(a)
	if a.Stored != a.Acknowledged || a.Lost != 0 || a.Repeated != 0 || a.Refused != 0 || a.Received != a.Acknowledged*len(l.Sources) {
		t.Errorf("not every acknowledged post was one event for everybody: %v", a)
	}
	orders := map[string]bool{}
	for _, s := range l.Sources {
		orders[strings.Join(IDs(OfKind(s.Received(), "signup")), " ")] = true
	}
	if len(orders) != 1 {
		t.Errorf("listeners saw %d different orders", len(orders))
	}
	n := 0
	for key, id := range l.ByKey {
		if n++; n > 20 {
			break
		}
		if again, duplicate, err := l.to.PostKeyed(key, "user_name=other"); again != id || !duplicate || err != nil {
			t.Errorf("a retry of %s was answered %s, duplicate %v, %v; want %s, true", key, again, duplicate, err, id)
		}
	}
}
