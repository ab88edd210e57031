package logtest

import (
	"errors"
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
	if why, _ := b.Check(b.Epochs.Cursor(0)); why != "" {
		t.Errorf("origin cursor gets %q", why)
	}
	for range 2 { // the epoch of a site without events must not change with each call
		if again := bounds(t, f.Log, "default"); again.Epochs.Cursor(0) != b.Epochs.Cursor(0) || again.Epochs.ID(1) != b.Epochs.ID(1) {
			t.Errorf("epochs were %+v, are now %+v", b.Epochs, again.Epochs)
		}
	}
	if err := f.Log.Healthy(); err != nil {
		t.Errorf("new log is not healthy: %v", err)
	}
	if events, rb, err := f.Log.Read(deadline(t), "default", 0, 10); err != nil || len(events) != 0 || rb.High != 0 {
		t.Errorf("read of a new log: %v, %+v, %v", events, rb, err)
	}
	if events, _, err := f.Log.Latest(deadline(t), "default", 0, 10); err != nil || len(events) != 0 {
		t.Errorf("latest of a new log: %v, %v", events, err)
	}
	if _, err := f.Log.Find(deadline(t), "default", "k"); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("find in a new log: %v; want ErrNotFound", err)
	}
	mustErase(t, f.Log, "default", 1)
	if id := mustAppend(t, f.Log, "default", entry("Ada")); id != b.Epochs.ID(1) {
		t.Errorf("first event is %v, want %v", id, b.Epochs.ID(1))
	}
	if why, _ := bounds(t, f.Log, "default").Check(b.Epochs.Cursor(0)); why != "" {
		t.Errorf("origin cursor gets %q when there is an event", why)
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
	_, read, err := f.Log.Read(deadline(t), "a", 0, 1)
	if got := bounds(t, f.Log, "a").Limits; err != nil || got != want || read.Limits != want {
		t.Errorf("limits are %+v in bounds, %+v in a read (%v); want %+v", got, read.Limits, err, want)
	}
}
