package logtest

import (
	"bytes"
	"fmt"
	"testing"
)

// restart would catch a renumbered event, a sequence given twice, and a cursor that a restart made invalid.
func restart(t *testing.T, f Fixture) {
	l := f.Log
	for n := range 2 {
		ids := fill(t, l, "a", 5)
		bounds(t, l, "quiet")
		mustErase(t, l, "a", ids[4].Seq) // the newest: its sequence must not be given again
		before, events := bounds(t, l, "a"), all(t, l, "a")
		quiet := bounds(t, l, "quiet").Epochs.Cursor(0)

		l = f.Reopen()
		after := bounds(t, l, "a")
		if after.Low != before.Low || after.High != before.High || after.Signups != before.Signups {
			t.Errorf("bounds were %+v, after restart %d %+v", before, n, after)
		}
		now := all(t, l, "a")
		wantSequences(t, fmt.Sprint("events after restart ", n), sequences(now), sequences(events))
		for i, e := range now {
			if was := events[i]; e.ID != was.ID || !bytes.Equal(e.Data, was.Data) || !e.Time.Equal(was.Time) {
				t.Errorf("event %+v is after restart %d %+v", was, n, e)
			}
		}
		for _, id := range append(ids, before.Epochs.Cursor(before.High)) {
			if why, seen := after.Check(id); why != "" || seen != id.Seq {
				t.Errorf("cursor %v gets %q after restart %d", id, why, n)
			}
		}
		if why, _ := bounds(t, l, "quiet").Check(quiet); why != "" {
			t.Errorf("origin cursor of a site without events gets %q after restart %d", why, n)
		}
		if id := mustAppend(t, l, "a", entry("Ada")); id.Seq != before.High+1 {
			t.Errorf("next sequence after restart %d is %d, want %d", n, id.Seq, before.High+1)
		}
	}
}

func restartKeys(t *testing.T, f Fixture) {
	kept, erased := mustAppend(t, f.Log, "a", withKey("kept")), mustAppend(t, f.Log, "a", withKey("erased"))
	mustErase(t, f.Log, "a", erased.Seq)
	l := f.Reopen()
	again(t, l, "a", "kept", kept)
	again(t, l, "a", "erased", erased)
}
