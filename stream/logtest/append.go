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

func roundTrip(t *testing.T, f Fixture) {
	for _, e := range []stream.Entry{
		{Kind: stream.Announce, Data: []byte(`{"user_name":"Ada"}`)},
		{Kind: stream.Retract, Data: []byte(`{"id":"x-1"}`), Key: "k"},
	} {
		before := f.Log.Now().Add(-time.Second)
		id := mustAppend(t, f.Log, "a-1", e)
		events, b, err := f.Log.Read(deadline(t), "a-1", id.Seq-1, 10)
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
			t.Errorf("%.20q was read as %.20q (%d bytes)", texts[i], e.Data, len(e.Data))
		}
	}
	_, _, err := f.Log.Append(deadline(t), "default", stream.Entry{Data: make([]byte, stream.MaxData+1)})
	wantMistake(t, "append of too much data", err)
}

func oddSites(t *testing.T, f Fixture) {
	for _, site := range []string{"", "*", ">", "a.b", "a.*", "A", "ä", "a b", "a\r\n", "../a", strings.Repeat("a", 64)} {
		_, _, err := f.Log.Append(deadline(t), site, entry("Ada"))
		wantMistake(t, fmt.Sprintf("append to %q", site), err)
		_, _, err = f.Log.Read(deadline(t), site, 0, 1)
		wantMistake(t, fmt.Sprintf("read of %q", site), err)
		_, _, err = f.Log.Latest(deadline(t), site, 0, 1)
		wantMistake(t, fmt.Sprintf("latest of %q", site), err)
		_, err = f.Log.Find(deadline(t), site, "k")
		wantMistake(t, fmt.Sprintf("find in %q", site), err)
		_, err = f.Log.Bounds(deadline(t), site)
		wantMistake(t, fmt.Sprintf("bounds of %q", site), err)
		wantMistake(t, fmt.Sprintf("erase in %q", site), f.Log.Erase(deadline(t), site, 1))
		followed := error(nil)
		for _, followed = range f.Log.Follow(deadline(t), site, 0) {
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

// impatientCallers would catch an event that is stored twice or in part when callers leave while it is being stored, and an acknowledgement
// without an event.
func impatientCallers(t *testing.T, f Fixture) {
	const callers, each = 4, 40
	var mu sync.Mutex // guards acknowledged
	acknowledged := map[string]stream.ID{}
	var appending sync.WaitGroup
	for c := range callers {
		appending.Go(func() {
			for i := range each {
				key := fmt.Sprintf("%d/%d", c, i)
				timeout := time.Duration(i%8) * 300 * time.Microsecond
				if id, err := appendInTime(t, f.Log, key, timeout, i%2 == 0); err == nil {
					mu.Lock()
					acknowledged[key] = id
					mu.Unlock()
				}
			}
		})
	}
	appending.Wait()
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

// appendInTime appends an entry of site a whose data is its key, and leaves after a timeout. A retry then completes it.
func appendInTime(t *testing.T, l stream.Log, key string, timeout time.Duration, retry bool) (stream.ID, error) {
	e := stream.Entry{Data: []byte(key), Key: key}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	id, _, err := l.Append(ctx, "a", e)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("append whose caller leaves: %v", err)
	}
	if retry {
		id, _, err = l.Append(deadline(t), "a", e)
	}
	return id, err
}
