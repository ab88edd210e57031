package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"proofstream/stream/waitfor"
)

// Load is backends that post, and subscribers, at one address. Each post has an idempotency key and is retried until it is
// acknowledged, so the log must have one event for each key in the end. Acked, ByKey and Tries may be read after Stop.
type Load struct {
	t       *testing.T
	to      Server
	Sources []*Source // the subscribers
	stop    context.CancelFunc
	posting sync.WaitGroup
	phase   time.Time // start of the latest phase: see AwaitArrivals

	mu     sync.Mutex           // guards the fields below
	Acked  map[string]time.Time // when each id was acknowledged
	ByKey  map[string]string    // id by idempotency key
	newest time.Time            // when the newest acknowledgement arrived
	stall  time.Duration        // longest time between two acknowledgements
	Tries  int                  // failed attempts to post
}

// StartLoad opens the streams of the subscribers, waits for their ready events, and starts the posters. Each poster waits for delay
// after each post. They run until Stop or the end of the test.
func StartLoad(t *testing.T, to Server, subscribers, posters int, delay time.Duration) *Load {
	t.Helper()
	l := &Load{t: t, to: to, Acked: map[string]time.Time{}, ByKey: map[string]string{}}
	for range subscribers {
		s := to.Source("")
		s.Start(t, true)
		l.Sources = append(l.Sources, s)
	}
	for _, s := range l.Sources {
		s.Ready(t)
	}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(context.Background())
	l.newest = time.Now()
	for w := range posters {
		l.posting.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				l.post(fmt.Sprint(w, "/", i))
				time.Sleep(delay)
			}
		})
	}
	t.Cleanup(l.stop)
	return l
}

// post posts a signup and retries every 20 ms until it is acknowledged, for twice waitfor.Patience.
func (l *Load) post(key string) {
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

// Stop stops the posters and waits for their last posts. The streams stay open.
func (l *Load) Stop() {
	l.stop()
	l.posting.Wait()
}

// posted returns how many posts were acknowledged.
func (l *Load) posted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.Acked)
}

// IDs returns the acknowledged ids, in the order of the log.
func (l *Load) IDs() (ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.Acked {
		ids = append(ids, id)
	}
	sortIDs(ids)
	return ids
}

// LongestStall returns the longest time between two acknowledgements so far.
func (l *Load) LongestStall() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stall
}

// AwaitMore waits until n more posts are acknowledged, for twice waitfor.Patience.
func (l *Load) AwaitMore(n int) {
	l.t.Helper()
	before := l.posted()
	waitfor.Until(l.t, 2*waitfor.Patience, func() bool { return l.posted() >= before+n }, func() string {
		return fmt.Sprintf("%d posts, want %d", l.posted()-before, n)
	})
}

// AwaitArrivals waits until every subscriber has what was acknowledged before the call, and starts a new phase: Tally.LateBefore
// counts what was acknowledged before that.
func (l *Load) AwaitArrivals() {
	l.t.Helper()
	l.phase = time.Now()
	ids := l.IDs()
	newest := Sequence(ids[len(ids)-1])
	for _, s := range l.Sources {
		s.Await(l.t, "the newest event", func() bool { return Sequence(s.LastID) >= newest })
	}
}
