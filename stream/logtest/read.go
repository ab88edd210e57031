package logtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"proofstream/stream"
)

func readPages(t *testing.T, f Fixture) {
	var want []uint64
	for i := range 30 {
		site := []string{"a", "b", "a-b"}[i%3]
		seq := mustAppend(t, f.Log, stream.Draft{Site: site, Kind: stream.Kind(i / 3 % 2), Data: fmt.Append(nil, i)})
		if site == "a" {
			want = append(want, seq)
		}
	}
	for from := range want {
		for _, max := range []int{1, 3, 10, 1000} {
			after := want[from] - 1
			page, err := f.Log.Read(within(t), "a", after, max)
			if err != nil {
				t.Fatal(err)
			}
			if w := want[from:min(from+max, len(want))]; !slices.Equal(sequences(page), w) {
				t.Errorf("read after %d, max %d: %v, want %v", after, max, sequences(page), w)
			}
		}
	}
	for _, after := range []uint64{want[9], want[9] + 5, 1 << 40} {
		if page, err := f.Log.Read(within(t), "a", after, 10); err != nil || len(page) != 0 {
			t.Errorf("read after the newest (%d): %v, %v", after, page, err)
		}
	}
	if page, err := f.Log.Read(within(t), "nobody", 0, 10); err != nil || len(page) != 0 {
		t.Errorf("read of a site without events: %v, %v", page, err)
	}
}

// readModel would catch a reader that trips over the holes which erasures leave, at the edges of
// the log or of a page.
func readModel(t *testing.T, f Fixture) {
	r := rand.New(rand.NewPCG(1, 2))
	model := map[string][]uint64{}
	sites := []string{"a", "b", "c"}
	for range 400 {
		site := sites[r.IntN(len(sites))]
		switch kept := model[site]; {
		case r.IntN(3) > 0 || len(kept) == 0:
			model[site] = append(kept, mustAppend(t, f.Log, stream.Draft{Site: site, Data: []byte("{}")}))
		case r.IntN(2) == 0:
			i := r.IntN(len(kept))
			if err := f.Log.Erase(within(t), kept[i]); err != nil {
				t.Fatal(err)
			}
			model[site] = slices.Delete(kept, i, i+1)
		default:
			after, max := kept[r.IntN(len(kept))], 1+r.IntN(10)
			i, _ := slices.BinarySearch(kept, after+1)
			page, err := f.Log.Read(within(t), site, after, max)
			if want := kept[i:min(i+max, len(kept))]; err != nil || !slices.Equal(sequences(page), want) {
				t.Fatalf("read %s after %d, max %d: %v, %v; want %v", site, after, max, sequences(page), err, want)
			}
		}
	}
	for site, want := range model {
		if got := sequences(all(t, f.Log, site)); !slices.Equal(got, want) {
			t.Errorf("site %s holds %v, want %v", site, got, want)
		}
	}
}

// follow returns the first n events after a sequence.
func follow(t *testing.T, l stream.Log, after uint64, n int) []stream.Event {
	t.Helper()
	ctx := within(t)
	var events []stream.Event
	for e, err := range l.Follow(ctx, after) {
		if err != nil {
			t.Fatalf("follow after %d: %v", after, err)
		}
		if events = append(events, e); len(events) == n {
			return events
		}
	}
	t.Fatalf("follow after %d yielded %d of %d events: %v", after, len(events), n, sequences(events))
	return nil
}

func followLive(t *testing.T, f Fixture) {
	want := []stream.Draft{
		{Site: "a", Data: []byte("1")}, {Site: "b", Kind: stream.Retract, Data: []byte("2")},
		{Site: "a", Data: []byte("3")}, {Site: "c", Data: []byte("4")},
	}
	seqs := []uint64{mustAppend(t, f.Log, want[0]), mustAppend(t, f.Log, want[1])}
	i := 0
	for e, err := range f.Log.Follow(within(t), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if w := want[i]; e.Seq != seqs[i] || e.Site != w.Site || e.Kind != w.Kind || string(e.Data) != string(w.Data) || time.Since(e.Time) > time.Minute {
			t.Errorf("event %d is %+v, want %d %+v", i, e, seqs[i], w)
		}
		if i++; i == len(want) {
			return
		}
		if i >= 2 {
			seqs = append(seqs, mustAppend(t, f.Log, want[i]))
		}
	}
	t.Errorf("follow ended after %d of %d events", i, len(want))
}

func followAfter(t *testing.T, f Fixture) {
	var seqs []uint64
	for range 10 {
		seqs = append(seqs, mustAppend(t, f.Log, stream.Draft{Site: "a", Data: []byte("{}")}))
	}
	for i := range seqs[:9] {
		if got := sequences(follow(t, f.Log, seqs[i], 9-i)); !slices.Equal(got, seqs[i+1:]) {
			t.Errorf("after %d: %v, want %v", seqs[i], got, seqs[i+1:])
		}
	}
}

func followEnds(t *testing.T, f Fixture) {
	mustAppend(t, f.Log, stream.Draft{Site: "a", Data: []byte("{}")})
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	n := 0
	for _, err := range f.Log.Follow(ctx, 0) {
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

// followRace would catch an event yielded twice, out of order, or not at all, and an append whose
// answer names another place than the log does.
func followRace(t *testing.T, f Fixture) {
	const writers, each = 8, 50
	var mu sync.Mutex
	appended := map[uint64]string{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				d := stream.Draft{Site: fmt.Sprintf("s%d", w%3), Data: fmt.Appendf(nil, "%d/%d", w, i)}
				seq, _, err := f.Log.Append(t.Context(), d)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				appended[seq] = string(d.Data)
				mu.Unlock()
			}
		})
	}
	early := follow(t, f.Log, 0, writers*each)
	wg.Wait()
	late := follow(t, f.Log, 0, writers*each)
	for i := range late {
		if early[i].Seq != late[i].Seq || string(early[i].Data) != string(late[i].Data) || i > 0 && early[i].Seq <= early[i-1].Seq {
			t.Fatalf("event %d: %d %q live, %d %q afterwards", i, early[i].Seq, early[i].Data, late[i].Seq, late[i].Data)
		}
		if got := appended[late[i].Seq]; got != string(late[i].Data) {
			t.Errorf("append said that %d is %q, the log %q", late[i].Seq, got, late[i].Data)
		}
	}
}

func pending(t *testing.T, f Fixture) {
	for range 20 {
		mustAppend(t, f.Log, stream.Draft{Site: "a", Data: []byte("{}")})
	}
	for i, e := range follow(t, f.Log, 0, 20) {
		if want := uint64(19 - i); e.Pending != want {
			t.Errorf("event %d has %d pending, want %d", i, e.Pending, want)
		}
	}
}
