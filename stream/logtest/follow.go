package logtest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"proofstream/stream"
)

// follow returns the first n events after a sequence.
func follow(t *testing.T, l stream.Log, site string, after uint64, n int) (events []stream.Event) {
	t.Helper()
	for e, err := range l.Follow(deadline(t), site, after) {
		if err != nil {
			t.Fatalf("follow %s after %d: %v", site, after, err)
		}
		if events = append(events, e); len(events) == n {
			return events
		}
	}
	t.Fatalf("follow %s after %d yielded %v, want %d events", site, after, sequences(events), n)
	return nil
}

func followLive(t *testing.T, f Fixture) {
	fill(t, f.Log, "a", 3)
	next := uint64(2)
	for e, err := range f.Log.Follow(deadline(t), "a", 1) {
		if err != nil || e.ID.Seq != next {
			t.Fatalf("followed to %v, %v; want sequence %d", e.ID, err, next)
		}
		if next++; next == 9 {
			break
		}
		if next > 3 { // from here on what comes, mixed with events of another site
			mustAppend(t, f.Log, "b", entry("other"))
			mustAppend(t, f.Log, "a", entry("live"))
		}
	}
	if next != 9 {
		t.Errorf("follow ended before sequence %d", next)
	}
	for after := range uint64(8) {
		got := sequences(follow(t, f.Log, "a", after, int(8-after)))
		if len(got) != int(8-after) || got[0] != after+1 {
			t.Errorf("follow after %d: %v", after, got)
		}
	}
}

func followEnds(t *testing.T, f Fixture) {
	fill(t, f.Log, "a", 2)
	ctx, cancel := context.WithCancel(deadline(t))
	defer cancel()
	n := 0
	for _, err := range f.Log.Follow(ctx, "a", 1) {
		if err != nil {
			t.Errorf("follow yielded %v at the end of its context", err)
		}
		n++
		cancel()
	}
	if n != 1 {
		t.Errorf("yielded %d times, want once", n)
	}
}

// followRace would catch an event yielded twice, out of order or not at all, and an append that returns
// another id than that of its event in the log.
func followRace(t *testing.T, f Fixture) {
	const writers, each, followers = 6, 50, 3
	sites := []string{"a", "b"}
	ctx := deadline(t)
	var mu sync.Mutex
	acknowledged := map[string]stream.ID{}
	live := make([][]stream.Event, followers*len(sites))
	var wg sync.WaitGroup
	for i := range live {
		wg.Go(func() { live[i] = follow(t, f.Log, sites[i%2], 0, writers/2*each) })
	}
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				text := fmt.Sprintf("%d/%d", w, i)
				id, _, err := f.Log.Append(ctx, sites[w%2], stream.Entry{Data: []byte(text)})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acknowledged[text] = id
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for i, events := range live {
		for j, e := range events {
			if e.ID.Seq != uint64(j+1) || acknowledged[string(e.Data)] != e.ID {
				t.Fatalf("follower %d got %v %q as event %d; its writer got %v", i, e.ID, e.Data, j+1, acknowledged[string(e.Data)])
			}
		}
	}
}

// followOverrun has retention remove what a follower was about to get. It may get a part of that; of the rest, the low
// watermark must tell.
func followOverrun(t *testing.T, f Fixture) {
	fill(t, f.Log, "a", 3)
	last, jumps := uint64(0), 0
	for e, err := range f.Log.Follow(deadline(t), "a", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.ID.Seq != last+1 {
			jumps++
			if b := bounds(t, f.Log, "a"); b.Low <= last+1 {
				t.Errorf("follow jumped from %d to %d, and the low watermark is %d", last, e.ID.Seq, b.Low)
			}
		}
		if last = e.ID.Seq; last == 1 {
			fill(t, f.Log, "a", 1200) // more than any buffer on the way
		}
		if last == 1203 {
			break
		}
	}
	if last != 1203 || jumps == 0 {
		t.Errorf("followed up to %d with %d jumps; want 1203 and at least one", last, jumps)
	}
}
