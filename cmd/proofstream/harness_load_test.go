package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// load is backends that post and browsers that listen at one address. Each post has a key and is tried again until it is
// acknowledged, so that in the end there must be one event for each.
type load struct {
	t       *testing.T
	to      server
	sources []*source
	stop    context.CancelFunc
	posting sync.WaitGroup
	phase   time.Time

	mu     sync.Mutex
	acked  map[string]time.Time // by id
	byKey  map[string]string    // id
	newest time.Time            // of an acknowledgement
	stall  time.Duration        // longest time between two
	tries  int                  // posts that had to be tried again
}

// startLoad begins to listen, then to post. Each poster pauses after each post.
func startLoad(t *testing.T, to server, listeners, posters int, pause time.Duration) *load {
	t.Helper()
	l := &load{t: t, to: to, acked: map[string]time.Time{}, byKey: map[string]string{}}
	for range listeners {
		s := to.source("")
		s.start(t, true)
		l.sources = append(l.sources, s)
	}
	for _, s := range l.sources {
		s.await(t, "the opening frame", func() bool { return len(ofKind(s.events, "ready")) > 0 })
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
	for deadline := time.Now().Add(2 * patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		id, _, err := l.to.postKeyed(key, "user_name="+key)
		l.mu.Lock()
		if err == nil {
			now := time.Now()
			l.stall = max(l.stall, now.Sub(l.newest))
			l.acked[id], l.byKey[key], l.newest = now, id, now
			l.mu.Unlock()
			return
		}
		l.tries++
		l.mu.Unlock()
	}
	l.t.Errorf("post %s was not acknowledged within %v", key, 2*patience)
}

// posted returns how many posts were acknowledged.
func (l *load) posted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// ids returns those of the posts that were acknowledged, in the order of the log.
func (l *load) ids() (ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.acked {
		ids = append(ids, id)
	}
	sortIDs(ids)
	return ids
}

// longestStall returns the longest time between two acknowledgements so far.
func (l *load) longestStall() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stall
}

// awaitMore waits until n more posts are acknowledged.
func (l *load) awaitMore(n int) {
	l.t.Helper()
	before := l.posted()
	until(l.t, 2*patience, func() bool { return l.posted() >= before+n }, func() string { return fmt.Sprint(l.posted()-before, " posts") })
}

// awaitArrivals waits until everybody has what was acknowledged up to now, and begins a new phase.
func (l *load) awaitArrivals() {
	l.t.Helper()
	l.phase = time.Now()
	ids := l.ids()
	newest := sequence(ids[len(ids)-1])
	for _, s := range l.sources {
		s.await(l.t, "the newest event", func() bool { return sequence(s.lastID) >= newest })
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

// finish waits until every listener has everything, and counts. The posting has ended.
func (l *load) finish(stored int) tally {
	l.t.Helper()
	for _, s := range l.sources {
		comes(patience, func() bool { // who lacks something is counted below
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.events) >= len(l.acked) && len(countIDs(s.events)) == len(l.acked)
		})
	}
	a := tally{Acknowledged: len(l.acked), Stored: stored, PostStall: l.stall, Retried: l.tries}
	for _, s := range l.sources {
		l.count(&a, s)
	}
	return a
}

// countIDs returns how often each signup came.
func countIDs(events []event) map[string]int {
	times := map[string]int{}
	for _, e := range ofKind(events, "signup") {
		times[e.id]++
	}
	return times
}

// end ends the posting.
func (l *load) end() {
	l.stop()
	l.posting.Wait()
}

// count adds what one listener got. An event that came twice is a repetition, also after a gap.
func (l *load) count(a *tally, s *source) {
	times := map[string]int{}
	var last time.Time
	for _, e := range ofKind(s.received(), "signup") {
		times[e.id]++
		if !last.IsZero() {
			a.FanOutStall = max(a.FanOutStall, e.at.Sub(last))
		}
		last = e.at
		if at, ok := l.acked[e.id]; ok && times[e.id] == 1 {
			a.Late = max(a.Late, e.at.Sub(at))
			if at.Before(l.phase) {
				a.LateBefore = max(a.LateBefore, e.at.Sub(at))
			}
		}
	}
	for id := range l.acked {
		if times[id] == 0 {
			a.Lost++
		}
	}
	for _, n := range times {
		a.Received++
		a.Repeated += n - 1
	}
	for _, e := range s.allEnds() {
		if e.status != 0 && e.status != 200 {
			a.Refused++
		}
	}
	for _, e := range ofKind(s.received(), "ready") {
		if strings.Contains(e.data, `"gap"`) {
			l.t.Errorf("a listener got a gap: %s", e.data)
		}
	}
}

// check says what must hold of every tally: one event for each acknowledged post, each received by everybody, once.
func (a tally) check(t *testing.T, l *load) {
	t.Helper()
	t.Log(a)
	if a.Stored != a.Acknowledged || a.Lost != 0 || a.Repeated != 0 || a.Refused != 0 || a.Received != a.Acknowledged*len(l.sources) {
		t.Errorf("not every acknowledged post was one event for everybody: %v", a)
	}
	orders := map[string]bool{}
	for _, s := range l.sources {
		orders[strings.Join(ids(ofKind(s.received(), "signup")), " ")] = true
	}
	if len(orders) != 1 {
		t.Errorf("listeners saw %d different orders", len(orders))
	}
	n := 0
	for key, id := range l.byKey {
		if n++; n > 20 {
			break
		}
		if again, duplicate, err := l.to.postKeyed(key, "user_name=other"); again != id || !duplicate || err != nil {
			t.Errorf("a retry of %s was answered %s, duplicate %v, %v; want %s, true", key, again, duplicate, err, id)
		}
	}
}

// stored counts the events that the cluster holds.
func (c *natsCluster) stored() int {
	c.t.Helper()
	return ask(c, "count the events", func(ctx context.Context, js jetstream.JetStream) (int, error) {
		s, err := js.Stream(ctx, defaultStream)
		if err != nil {
			return 0, err
		}
		return int(s.CachedInfo().State.Msgs), nil
	})
}
