package natslog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/natslog/natstest"
	"proofstream/stream/waitfor"
)

// watch is what a follower has seen.
type watch struct {
	mu   sync.Mutex // guards seen
	seen map[uint64]string
}

func (w *watch) has(all map[uint64]string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for seq, text := range all {
		if w.seen[seq] != text {
			return false
		}
	}
	return true
}

// following follows site a until the test's end, each event once and in order.
func following(t *testing.T, l *Log) *watch {
	w := &watch{seen: map[uint64]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		last := uint64(0)
		for e, err := range l.Follow(ctx, "a", 0) {
			if err != nil {
				t.Errorf("follow: %v", err)
				return
			}
			if e.ID.Seq <= last {
				t.Errorf("followed %d after %d", e.ID.Seq, last)
			}
			last = e.ID.Seq
			w.mu.Lock()
			w.seen[last] = string(e.Data)
			w.mu.Unlock()
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return w
}

// lostWithin follows site a until that ends with a LostError, and calls at after the fifth event.
func lostWithin(t *testing.T, l *Log, d time.Duration, at func()) *LostError {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	for e, err := range l.Follow(ctx, "a", 0) {
		if lost := new(LostError); errors.As(err, &lost) {
			return lost
		} else if err != nil || e.ID.Seq > 5 {
			t.Fatalf("followed %v, %v", e.ID, err)
		}
		if e.ID.Seq == 5 {
			at()
		}
	}
	t.Fatal("follow ended without saying why")
	return nil
}

// TestReplacedStreamEndsFollow would catch a reader that goes on, as if nothing had happened, in a
// stream that was deleted and created again.
func TestReplacedStreamEndsFollow(t *testing.T) {
	t.Parallel()
	o := Options{URL: natstest.Start(t, 1).URL()}
	l := opened(t, o)
	appendN(t, l, 5)
	lost := lostWithin(t, l, 30*time.Second, func() {
		if err := l.js.DeleteStream(t.Context(), "proofstream-a"); err != nil {
			t.Fatal(err)
		}
		appendN(t, opened(t, o), 10)
	})
	if lost.Gone || lost.Read != 5 || lost.Last != 10 {
		t.Errorf("ended with %+v", lost)
	}
}

// TestDeletedStreamEndsFollow would catch a reader that waits without end for a stream that was deleted.
func TestDeletedStreamEndsFollow(t *testing.T) {
	t.Parallel()
	l := opened(t, Options{URL: natstest.Start(t, 1).URL()})
	appendN(t, l, 5)
	var deleted time.Time
	lost := lostWithin(t, l, time.Minute, func() {
		if err := l.js.DeleteStream(t.Context(), "proofstream-a"); err != nil {
			t.Fatal(err)
		}
		deleted = time.Now()
	})
	if after := time.Since(deleted); !lost.Gone || lost.Read != 5 || after < deletedTimeout {
		t.Errorf("ended %v after it was deleted, with %v", after, lost)
	}
}

// TestFollowAcrossARestart would catch a reader that ends, skips or repeats when the cluster was away.
func TestFollowAcrossARestart(t *testing.T) {
	t.Parallel()
	c := natstest.Start(t, 1)
	l := opened(t, Options{URL: c.URL()})
	seen := following(t, l)
	want := map[uint64]string{}
	for range 3 {
		for range 5 {
			want[mustAppend(t, l, "")] = string(payload)
		}
		waitfor.Fact(t, "all is followed", func() bool { return seen.has(want) })
		c.Servers[0].Kill()
		c.Servers[0].Start()
	}
}

// TestQuietSitesCostNothing would catch a consumer of a site without followers.
func TestQuietSitesCostNothing(t *testing.T) {
	l := opened(t, Options{URL: natstest.Start(t, 1).URL()})
	appendN(t, l, 1)
	for range l.Follow(t.Context(), "a", 0) {
		break
	}
	if _, _, err := l.Append(t.Context(), "b", stream.Entry{Data: payload}); err != nil {
		t.Fatal(err)
	}
	if info, err := l.describe(t.Context(), "b", ""); err != nil || info.State.Consumers != 0 {
		t.Errorf("consumers of a site without followers: %+v, %v", info, err)
	}
	if len(l.followers) != 0 {
		t.Errorf("followed: %v; want none", l.followers)
	}
}

// TestClusterLosesANode stops the server that leads the stream: what was acknowledged stays, appends
// succeed again within 15 s, and two nodes of ours see one order.
func TestClusterLosesANode(t *testing.T) {
	t.Parallel()
	c := natstest.Start(t, 3)
	o := Options{URL: c.URL(), Replicas: 3, Limits: stream.Limits{Events: 1e6}}
	a, b := opened(t, o), opened(t, o)
	seenByA, seenByB := following(t, a), following(t, b)
	var mu sync.Mutex
	acknowledged := map[uint64]string{}
	var since, failed atomic.Int64 // appends since the server went
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w, l := range []*Log{a, b, a, b} {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				e := stream.Entry{Data: fmt.Append(nil, w, "/", i), Key: fmt.Sprint(w, "/", i)}
				id, _, err := l.Append(ctx, "a", e)
				if err != nil {
					failed.Add(1)
					continue
				}
				since.Add(1)
				mu.Lock()
				acknowledged[id.Seq] = string(e.Data)
				mu.Unlock()
			}
		})
	}
	waitfor.Fact(t, "appends succeed", func() bool { return since.Load() > 100 })
	c.Servers[c.Leader("proofstream-a")].Kill()
	since.Store(0)
	failed.Store(0)
	began := time.Now()
	waitfor.Fact(t, "appends succeed again", func() bool { return since.Load() > 100 })
	if d := time.Since(began); d > 15*time.Second || failed.Load() > 0 {
		t.Errorf("appends succeeded again after %v; %d failed", d, failed.Load())
	}
	cancel()
	wg.Wait()
	waitfor.Fact(t, "both have everything", func() bool { return seenByA.has(acknowledged) && seenByB.has(acknowledged) })
}
