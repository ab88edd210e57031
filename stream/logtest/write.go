package logtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"proofstream/stream"
)

func emptyLog(t *testing.T, f Fixture) {
	s, err := f.Log.State(within(t))
	if want := (stream.State{First: 1}); err != nil || s != want {
		t.Errorf("state of a new log is %+v, %v; want %+v", s, err, want)
	}
	if c := f.Log.Chain(); len(c) != 1 || c[0].First != 1 {
		t.Errorf("chain of a new log is %+v; want one epoch from 1", c)
	}
	if err := f.Log.Healthy(); err != nil {
		t.Errorf("new log is not healthy: %v", err)
	}
	if events, err := f.Log.Read(within(t), "default", 0, 10); err != nil || len(events) != 0 {
		t.Errorf("read of a new log: %v, %v", events, err)
	}
	if _, err := f.Log.Get(within(t), 1); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("get in a new log: %v; want ErrNotFound", err)
	}
}

func roundTrip(t *testing.T, f Fixture) {
	before := time.Now().Add(-time.Second)
	for _, d := range []stream.Draft{
		{Site: "default", Kind: stream.Announce, Data: []byte(`{"user_name":"Ada"}`)},
		{Site: "a-1", Kind: stream.Retract, Data: []byte(`{"id":"x-1"}`), Key: "k"},
	} {
		seq := mustAppend(t, f.Log, d)
		e, err := f.Log.Get(within(t), seq)
		if err != nil {
			t.Fatalf("get %d: %v", seq, err)
		}
		if e.Seq != seq || e.Site != d.Site || e.Kind != d.Kind || !bytes.Equal(e.Data, d.Data) {
			t.Errorf("got %+v, want %d %+v", e, seq, d)
		}
		if e.Time.Before(before) || e.Time.After(time.Now().Add(time.Second)) {
			t.Errorf("time of %d is %v, want now", seq, e.Time)
		}
		page, err := f.Log.Read(within(t), d.Site, seq-1, 1)
		if err != nil || len(page) != 1 {
			t.Fatalf("read after %d: %v, %v", seq-1, page, err)
		}
		if p := page[0]; p.Seq != seq || p.Site != d.Site || p.Kind != d.Kind || !bytes.Equal(p.Data, d.Data) || !p.Time.Equal(e.Time) {
			t.Errorf("read says %+v, get %+v", p, e)
		}
	}
}

func oddBytes(t *testing.T, f Fixture) {
	for _, data := range [][]byte{{}, {0}, []byte("\r\n\r\n"), []byte("NATS/1.0\r\nStatus: 204\r\n\r\n"), []byte("+OK\r\n"), bytes.Repeat([]byte{0xff}, 8000)} {
		seq := mustAppend(t, f.Log, stream.Draft{Site: "default", Data: data})
		e, err := f.Log.Get(within(t), seq)
		if err != nil || !bytes.Equal(e.Data, data) {
			t.Errorf("get of %.20q: %.20q, %v", data, e.Data, err)
		}
	}
	if n := len(all(t, f.Log, "default")); n != 6 {
		t.Errorf("read %d events, want 6", n)
	}
}

func oddSites(t *testing.T, f Fixture) {
	for _, site := range []string{"", "*", ">", "a.b", "a.*", "A", "ä", "a b", "a\r\n", strings.Repeat("a", 64)} {
		if _, _, err := f.Log.Append(within(t), stream.Draft{Site: site, Data: []byte("{}")}); err == nil {
			t.Errorf("append to site %q was accepted", site)
		}
		if _, err := f.Log.Read(within(t), site, 0, 1); err == nil {
			t.Errorf("read of site %q was accepted", site)
		}
	}
	if s, err := f.Log.State(within(t)); err != nil || s.Last != 0 {
		t.Errorf("state after refusals: %+v, %v; want nothing given", s, err)
	}
	mustAppend(t, f.Log, stream.Draft{Site: strings.Repeat("a", 63), Data: []byte("{}")})
}

func risingSequences(t *testing.T, f Fixture) {
	last := uint64(0)
	for i := range 50 {
		seq := mustAppend(t, f.Log, stream.Draft{Site: fmt.Sprintf("s%d", i%3), Kind: stream.Kind(i % 2), Data: []byte("{}")})
		if seq <= last {
			t.Fatalf("append %d got sequence %d after %d", i, seq, last)
		}
		last = seq
	}
}

func keys(t *testing.T, f Fixture) {
	first := mustAppend(t, f.Log, stream.Draft{Site: "a", Data: []byte("1"), Key: "k"})
	seq, duplicate, err := f.Log.Append(within(t), stream.Draft{Site: "a", Kind: stream.Retract, Data: []byte("2"), Key: "k"})
	if err != nil || !duplicate || seq != first {
		t.Errorf("same site and key: %d, duplicate %v, %v; want %d, true", seq, duplicate, err, first)
	}
	mustAppend(t, f.Log, stream.Draft{Site: "b", Data: []byte("3"), Key: "k"})
	mustAppend(t, f.Log, stream.Draft{Site: "a", Data: []byte("4"), Key: "K"})
	mustAppend(t, f.Log, stream.Draft{Site: "a", Data: []byte("4")})
	mustAppend(t, f.Log, stream.Draft{Site: "a", Data: []byte("4")})
	if e, err := f.Log.Get(within(t), first); err != nil || string(e.Data) != "1" {
		t.Errorf("first event is now %q, %v", e.Data, err)
	}
	if n := len(all(t, f.Log, "a")); n != 4 {
		t.Errorf("site a has %d events, want 4", n)
	}
}

func spacesInKeys(t *testing.T, f Fixture) {
	keys := []string{"k", " k", "k ", "  k", "k:k", ": k", "k/k", `"`, "~", strings.Repeat("k", 160), strings.Repeat("k", 159)}
	for _, key := range keys {
		mustAppend(t, f.Log, stream.Draft{Site: "a", Data: []byte("{}"), Key: key})
	}
	for _, key := range keys {
		if _, duplicate, err := f.Log.Append(within(t), stream.Draft{Site: "a", Data: []byte("{}"), Key: key}); !duplicate || err != nil {
			t.Errorf("key %q again: duplicate %v, %v", key, duplicate, err)
		}
	}
}

func racingKeys(t *testing.T, f Fixture) {
	const writers, rounds = 8, 20
	got := make([][rounds]uint64, writers)
	var firsts [rounds]int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for r := range rounds {
				seq, duplicate, err := f.Log.Append(t.Context(), stream.Draft{Site: "a", Data: []byte("{}"), Key: fmt.Sprint(r)})
				if err != nil {
					t.Error(err)
				}
				got[w][r] = seq
				if !duplicate {
					mu.Lock()
					firsts[r]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	for w := range got {
		if got[w] != got[0] {
			t.Errorf("writer %d was told %v, writer 0 %v", w, got[w], got[0])
		}
	}
	for r, n := range firsts {
		if n != 1 {
			t.Errorf("key %d was stored %d times by the answers, want once", r, n)
		}
	}
	if n := len(all(t, f.Log, "a")); n != rounds {
		t.Errorf("%d events, want %d", n, rounds)
	}
}

func keyOfErased(t *testing.T, f Fixture) {
	d := stream.Draft{Site: "a", Data: []byte("{}"), Key: "k"}
	first := mustAppend(t, f.Log, d)
	mustAppend(t, f.Log, stream.Draft{Site: "a", Data: []byte("{}")})
	if err := f.Log.Erase(within(t), first); err != nil {
		t.Fatal(err)
	}
	seq, duplicate, err := f.Log.Append(within(t), d)
	if err != nil || !duplicate || seq != first {
		t.Errorf("key of an erased event: %d, duplicate %v, %v; want %d, true", seq, duplicate, err, first)
	}
}

func erase(t *testing.T, f Fixture) {
	var seqs []uint64
	for range 5 {
		seqs = append(seqs, mustAppend(t, f.Log, stream.Draft{Site: "a", Data: []byte("{}")}))
	}
	for _, i := range []int{2, 4, 0} { // middle, newest, oldest
		for range 2 { // again is no error
			if err := f.Log.Erase(within(t), seqs[i]); err != nil {
				t.Fatalf("erase %d: %v", seqs[i], err)
			}
		}
		if _, err := f.Log.Get(within(t), seqs[i]); !errors.Is(err, stream.ErrNotFound) {
			t.Errorf("get of erased %d: %v; want ErrNotFound", seqs[i], err)
		}
	}
	if err := f.Log.Erase(within(t), 1<<40); err != nil {
		t.Errorf("erase of what never was: %v", err)
	}
	want := []uint64{seqs[1], seqs[3]}
	if got := sequences(all(t, f.Log, "a")); !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	if got := sequences(follow(t, f.Log, 0, 2)); !slices.Equal(got, want) {
		t.Errorf("followed %v, want %v", got, want)
	}
	s, err := f.Log.State(within(t))
	if want := (stream.State{First: seqs[1], Last: seqs[4], Events: 2}); err != nil || s != want {
		t.Errorf("state %+v, %v; want %+v", s, err, want)
	}
	if next := mustAppend(t, f.Log, stream.Draft{Site: "a", Data: []byte("{}")}); next <= seqs[4] {
		t.Errorf("sequence %d was given again after its erasure (now %d)", seqs[4], next)
	}
}

func state(t *testing.T, f Fixture) {
	var last uint64
	for i := range 10 {
		last = mustAppend(t, f.Log, stream.Draft{Site: fmt.Sprintf("s%d", i%2), Kind: stream.Kind(i % 2), Data: []byte("{}")})
	}
	s, err := f.Log.State(within(t))
	if want := (stream.State{First: last - 9, Last: last, Events: 10}); err != nil || s != want {
		t.Errorf("state %+v, %v; want %+v", s, err, want)
	}
	for seq := s.First; seq <= s.Last; seq++ {
		if err := f.Log.Erase(within(t), seq); err != nil {
			t.Fatal(err)
		}
	}
	s, err = f.Log.State(within(t))
	if want := (stream.State{First: last + 1, Last: last}); err != nil || s != want {
		t.Errorf("state of an emptied log %+v, %v; want %+v", s, err, want)
	}
}

func endedContext(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := f.Log.Append(ctx, stream.Draft{Site: "a", Data: []byte("{}")}); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v; want context.Canceled", err)
	}
	if err := f.Log.Healthy(); err != nil {
		t.Errorf("one caller's end made the log unhealthy: %v", err)
	}
	mustAppend(t, f.Log, stream.Draft{Site: "a", Data: []byte("{}")})
}
