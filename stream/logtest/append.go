package logtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"proofstream/stream"
)

func emptyLog(t *testing.T, f Fixture) {
	b := bounds(t, f.Log, "default")
	if b.Low != 1 || b.High != 0 || b.Signups != 0 {
		t.Errorf("bounds of a new log are %+v; want low 1, high 0, no signups", b)
	}
	if h := b.Epochs; len(h) != 2 || h[0].First != 0 || h[1].First != 1 || h[0].Name == h[1].Name {
		t.Fatalf("epochs of a new log are %+v; want an origin from 0 and an epoch from 1", h)
	}
	if why, _ := b.Judge(b.Epochs.Cursor(0)); why != "" {
		t.Errorf("origin cursor gets %q", why)
	}
	for range 2 { // the epoch of a site without events must not change with each look
		if again := bounds(t, f.Log, "default"); again.Epochs.Cursor(0) != b.Epochs.Cursor(0) || again.Epochs.ID(1) != b.Epochs.ID(1) {
			t.Errorf("epochs were %+v, are now %+v", b.Epochs, again.Epochs)
		}
	}
	if err := f.Log.Healthy(); err != nil {
		t.Errorf("new log is not healthy: %v", err)
	}
	if events, rb, err := f.Log.Read(within(t), "default", 0, 10); err != nil || len(events) != 0 || rb.High != 0 {
		t.Errorf("read of a new log: %v, %+v, %v", events, rb, err)
	}
	if events, _, err := f.Log.Latest(within(t), "default", 0, 10); err != nil || len(events) != 0 {
		t.Errorf("latest of a new log: %v, %v", events, err)
	}
	if _, err := f.Log.Find(within(t), "default", "k"); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("find in a new log: %v; want ErrNotFound", err)
	}
	mustErase(t, f.Log, "default", 1)
	if id := mustAppend(t, f.Log, "default", entry("Ada")); id != b.Epochs.ID(1) {
		t.Errorf("first event is %v, want %v", id, b.Epochs.ID(1))
	}
	if why, _ := bounds(t, f.Log, "default").Judge(b.Epochs.Cursor(0)); why != "" {
		t.Errorf("origin cursor gets %q when there is an event", why)
	}
}

func roundTrip(t *testing.T, f Fixture) {
	for _, e := range []stream.Entry{
		{Kind: stream.Announce, Data: []byte(`{"user_name":"Ada"}`)},
		{Kind: stream.Retract, Data: []byte(`{"id":"x-1"}`), Key: "k"},
	} {
		before := f.Log.Now().Add(-time.Second)
		id := mustAppend(t, f.Log, "a-1", e)
		events, b, err := f.Log.Read(within(t), "a-1", id.Seq-1, 10)
		if err != nil || len(events) != 1 {
			t.Fatalf("read after %d: %v, %v", id.Seq-1, events, err)
		}
		got := events[0]
		if got.ID != id || got.Kind != e.Kind || !bytes.Equal(got.Data, e.Data) {
			t.Errorf("got %+v, want %v %+v", got, id, e)
		}
		if got.Time.Before(before) || got.Time.After(f.Log.Now().Add(time.Second)) || !got.Time.Equal(got.Time.Truncate(time.Millisecond)) {
			t.Errorf("time of %v is %v; want now, to the millisecond", id, got.Time)
		}
		if b.High != id.Seq {
			t.Errorf("read returned high %d, want %d", b.High, id.Seq)
		}
	}
}

func oddBytes(t *testing.T, f Fixture) {
	texts := [][]byte{[]byte("{}"), {0}, []byte("\r\n\r\n"), []byte("NATS/1.0\r\nStatus: 204\r\n\r\n"), []byte("+OK\r\n"), bytes.Repeat([]byte{0xff}, stream.MaxData)}
	for _, data := range texts {
		mustAppend(t, f.Log, "default", stream.Entry{Data: data})
	}
	events := all(t, f.Log, "default")
	if len(events) != len(texts) {
		t.Fatalf("%d events, want %d", len(events), len(texts))
	}
	for i, e := range events {
		if !bytes.Equal(e.Data, texts[i]) {
			t.Errorf("%.20q came back as %.20q (%d bytes)", texts[i], e.Data, len(e.Data))
		}
	}
	_, _, err := f.Log.Append(within(t), "default", stream.Entry{Data: make([]byte, stream.MaxData+1)})
	wantMistake(t, "append of too much data", err)
}

func oddSites(t *testing.T, f Fixture) {
	for _, site := range []string{"", "*", ">", "a.b", "a.*", "A", "ä", "a b", "a\r\n", "../a", strings.Repeat("a", 64)} {
		_, _, err := f.Log.Append(within(t), site, entry("Ada"))
		wantMistake(t, fmt.Sprintf("append to %q", site), err)
		_, _, err = f.Log.Read(within(t), site, 0, 1)
		wantMistake(t, fmt.Sprintf("read of %q", site), err)
		_, _, err = f.Log.Latest(within(t), site, 0, 1)
		wantMistake(t, fmt.Sprintf("latest of %q", site), err)
		_, err = f.Log.Find(within(t), site, "k")
		wantMistake(t, fmt.Sprintf("find in %q", site), err)
		_, err = f.Log.Bounds(within(t), site)
		wantMistake(t, fmt.Sprintf("bounds of %q", site), err)
		wantMistake(t, fmt.Sprintf("erase in %q", site), f.Log.Erase(within(t), site, 1))
		followed := error(nil)
		for _, followed = range f.Log.Follow(within(t), site, 0) {
			break
		}
		wantMistake(t, fmt.Sprintf("follow of %q", site), followed)
	}
	mustAppend(t, f.Log, strings.Repeat("a", 63), entry("Ada"))
}

func sequencesBySite(t *testing.T, f Fixture) {
	want := map[string]uint64{}
	for i := range 30 {
		site := []string{"a", "b", "a-b"}[i*i%3]
		want[site]++
		if id := mustAppend(t, f.Log, site, stream.Entry{Kind: stream.Kind(i % 2), Data: []byte("{}")}); id.Seq != want[site] {
			t.Fatalf("event of %s got sequence %d, want %d", site, id.Seq, want[site])
		}
	}
	for site, n := range want {
		if b := bounds(t, f.Log, site); b.High != n || b.Low != 1 {
			t.Errorf("bounds of %s are %+v; want low 1, high %d", site, b, n)
		}
	}
}

func endedContext(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := f.Log.Append(ctx, "a", entry("Ada")); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v; want context.Canceled", err)
	}
	if err := f.Log.Healthy(); err != nil {
		t.Errorf("one caller's end made the log unhealthy: %v", err)
	}
	mustAppend(t, f.Log, "a", entry("Ada"))
}

// impatientCallers would catch an event that is stored twice or in part when callers leave while it is being stored, and an
// acknowledgement without an event.
func impatientCallers(t *testing.T, f Fixture) {
	const callers, each = 4, 40
	var mu sync.Mutex
	acknowledged := map[string]stream.ID{}
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				ctx, cancel := context.WithTimeout(within(t), time.Duration(i%8)*300*time.Microsecond)
				key := fmt.Sprintf("%d/%d", c, i)
				id, _, err := f.Log.Append(ctx, "a", stream.Entry{Data: []byte(key), Key: key})
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, stream.ErrUnavailable) {
					t.Errorf("append whose caller leaves: %v", err)
				}
				if i%2 == 0 { // a retry settles the outcome
					id, _, err = f.Log.Append(within(t), "a", stream.Entry{Data: []byte(key), Key: key})
				}
				if err == nil {
					mu.Lock()
					acknowledged[key] = id
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	kept := map[string]stream.ID{}
	for _, e := range all(t, f.Log, "a") {
		if other, twice := kept[string(e.Data)]; twice {
			t.Errorf("%q is stored as %v and as %v", e.Data, other, e.ID)
		}
		kept[string(e.Data)] = e.ID
	}
	for key, id := range acknowledged {
		if kept[key] != id {
			t.Errorf("%q was acknowledged as %v, is stored as %v", key, id, kept[key])
		}
	}
	if len(acknowledged) < callers*each/2 {
		t.Errorf("only %d acknowledgements", len(acknowledged))
	}
}

// freshBounds would catch bounds from a cache that is refreshed by a timer or by another connection.
func freshBounds(t *testing.T, f Fixture) {
	for i := range uint64(20) {
		id := mustAppend(t, f.Log, "a", stream.Entry{Kind: stream.Kind(i % 2), Data: []byte("{}")})
		if b := bounds(t, f.Log, "a"); b.High != i+1 || b.Signups != int(i/2)+1 || b.Epochs.ID(id.Seq) != id {
			t.Fatalf("bounds after append %d: %+v", i+1, b)
		}
	}
	for i := range uint64(20) {
		mustErase(t, f.Log, "a", i+1)
		if b, want := bounds(t, f.Log, "a"), 10-int(i/2)-1; b.Signups != want || b.High != 20 {
			t.Fatalf("bounds after erasure of %d: %+v; want %d signups, high 20", i+1, b, want)
		}
	}
}

func limits(t *testing.T, f Fixture) {
	want := stream.Limits{Events: 77, Age: 5 * time.Hour}
	_, read, err := f.Log.Read(within(t), "a", 0, 1)
	if got := bounds(t, f.Log, "a").Limits; err != nil || got != want || read.Limits != want {
		t.Errorf("limits are %+v in bounds, %+v in a read (%v); want %+v", got, read.Limits, err, want)
	}
}

// again appends with a key that the log should know.
func again(t *testing.T, l stream.Log, site, key string, want stream.ID) {
	t.Helper()
	id, duplicate, err := l.Append(within(t), site, stream.Entry{Kind: stream.Retract, Data: []byte(`{"again":1}`), Key: key})
	if err != nil || !duplicate || id != want {
		t.Errorf("key %q again: %v, duplicate %v, %v; want %v, true", key, id, duplicate, err, want)
	}
	if id, err := l.Find(within(t), site, key); err != nil || id != want {
		t.Errorf("find key %q: %v, %v; want %v", key, id, err, want)
	}
}

func withKey(key string) stream.Entry { return stream.Entry{Data: []byte(`{"first":1}`), Key: key} }

func keys(t *testing.T, f Fixture) {
	first := mustAppend(t, f.Log, "a", withKey("k"))
	again(t, f.Log, "a", "k", first)
	mustAppend(t, f.Log, "b", withKey("k"))
	mustAppend(t, f.Log, "a", withKey("K"))
	mustAppend(t, f.Log, "a", withKey(""))
	mustAppend(t, f.Log, "a", withKey(""))
	again(t, f.Log, "a", "k", first)
	events := all(t, f.Log, "a")
	if len(events) != 4 || string(events[0].Data) != `{"first":1}` || events[0].Kind != stream.Announce {
		t.Errorf("site a holds %+v; want 4 events, the first one as it was", events)
	}
	if _, err := f.Log.Find(within(t), "b", "K"); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("find the key of another site: %v; want ErrNotFound", err)
	}
	_, _, err := f.Log.Append(within(t), "a", withKey(strings.Repeat("k", 161)))
	wantMistake(t, "append with a key of 161 bytes", err)
}

// similarKeys would catch a key that is trimmed, or that means something to the store.
func similarKeys(t *testing.T, f Fixture) {
	ids := map[string]stream.ID{}
	for _, key := range []string{"k", " k", "k ", "  k", "k:k", ": k", "k/k", `"`, "~", "*", "a.b", "'; --", strings.Repeat("k", 160), strings.Repeat("k", 159)} {
		ids[key] = mustAppend(t, f.Log, "a", withKey(key))
	}
	for key, id := range ids {
		again(t, f.Log, "a", key, id)
	}
}

func racingKeys(t *testing.T, f Fixture) {
	const writers, rounds = 8, 20
	var ids [writers][rounds]stream.ID
	var firsts [writers]int
	var wg sync.WaitGroup
	ctx := within(t)
	for w := range writers {
		wg.Go(func() {
			for r := range rounds {
				id, duplicate, err := f.Log.Append(ctx, "a", withKey(fmt.Sprint(r)))
				if err != nil {
					t.Error(err)
				}
				if ids[w][r] = id; !duplicate {
					firsts[w]++
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for w := range writers {
		if total += firsts[w]; ids[w] != ids[0] {
			t.Errorf("writer %d was told %v, writer 0 %v", w, ids[w], ids[0])
		}
	}
	if n := len(all(t, f.Log, "a")); n != rounds || total != rounds {
		t.Errorf("%d events, %d answers that said so; want %d", n, total, rounds)
	}
}

func keyOfErased(t *testing.T, f Fixture) {
	first := mustAppend(t, f.Log, "a", withKey("k"))
	mustAppend(t, f.Log, "a", entry("Ada"))
	mustErase(t, f.Log, "a", first.Seq)
	again(t, f.Log, "a", "k", first)
	mustErase(t, f.Log, "a", first.Seq)
	again(t, f.Log, "a", "k", first)
	if n := len(all(t, f.Log, "a")); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}
