package logtest

import (
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/waitfor"
)

func retainCount(t *testing.T, f Fixture) {
	const limit = 10
	fill(t, f.Log, "b", 1)
	origin := bounds(t, f.Log, "a").Epochs.Cursor(0)
	for i := range uint64(35) {
		id := mustAppend(t, f.Log, "a", stream.Entry{Kind: stream.Kind(i % 2), Data: []byte("{}")})
		b := bounds(t, f.Log, "a")
		if low := max(id.Seq, limit) - limit + 1; b.Low != low || b.High != id.Seq {
			t.Fatalf("bounds after event %d: %+v; want low %d", id.Seq, b, low)
		}
	}
	events := all(t, f.Log, "a")
	wantSequences(t, "kept", sequences(events), []uint64{26, 27, 28, 29, 30, 31, 32, 33, 34, 35})
	b := bounds(t, f.Log, "a")
	if b.Signups != limit/2 {
		t.Errorf("%d signups, want %d", b.Signups, limit/2)
	}
	for seq, want := range map[uint64]stream.Reason{24: stream.Expired, 25: "", 35: "", 36: stream.Ahead} {
		if why, _ := b.Check(stream.ID{Epoch: events[9].ID.Epoch, Seq: seq}); why != want {
			t.Errorf("cursor %d gets %q, want %q", seq, why, want)
		}
	}
	if why, _ := b.Check(origin); why == "" {
		t.Error("origin cursor is complete after events have expired")
	}
	if b := bounds(t, f.Log, "b"); b.Low != 1 || b.High != 1 {
		t.Errorf("bounds of another site: %+v", b)
	}
	mustErase(t, f.Log, "a", 30) // a gap is no event that counts
	fill(t, f.Log, "a", 1)
	wantSequences(t, "kept with a gap", sequences(all(t, f.Log, "a")), []uint64{26, 27, 28, 29, 31, 32, 33, 34, 35, 36})
}

// retainAge would catch a log that expires only when something is appended.
func retainAge(t *testing.T, f Fixture) {
	first := fill(t, f.Log, "a", 3)
	waitfor.Fact(t, "an idle log expires", func() bool { return bounds(t, f.Log, "a").Low == 4 })
	if b := bounds(t, f.Log, "a"); b.High != 3 || b.Signups != 0 {
		t.Errorf("bounds %+v; want high 3, no signups", b)
	}
	if events := all(t, f.Log, "a"); len(events) != 0 {
		t.Errorf("events %v are older than a second and still there", sequences(events))
	}
	if why, seen := bounds(t, f.Log, "a").Check(first[0]); why != stream.Expired || seen != 1 {
		t.Errorf("cursor %v gets %q, seen %d; want expired, 1", first[0], why, seen)
	}
	if why, _ := bounds(t, f.Log, "a").Check(first[2]); why != "" {
		t.Errorf("cursor of the newest event gets %q", why)
	}
	if id := mustAppend(t, f.Log, "a", entry("Ada")); id.Seq != 4 {
		t.Errorf("next sequence is %d, want 4", id.Seq)
	}
	begin := time.Now()
	waitfor.Fact(t, "an event expires", func() bool { return bounds(t, f.Log, "a").Low == 5 })
	if d := time.Since(begin); d < 500*time.Millisecond {
		t.Errorf("an event that is to be kept for a second was gone after %v", d)
	}
}
