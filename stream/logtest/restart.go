package logtest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"proofstream/stream"
)

// restart would catch a renumbered event, a sequence given twice, and a cursor that a restart made
// invalid.
func restart(t *testing.T, f Fixture) {
	if f.Reopen == nil {
		t.Skip("this log cannot be reopened")
	}
	l := f.Log
	var kept []stream.Event
	var ids []stream.ID
	for round := range 4 {
		for i := range 5 {
			seq := mustAppend(t, l, stream.Draft{Site: "a", Data: fmt.Appendf(nil, "%d/%d", round, i)})
			e, err := l.Get(within(t), seq)
			if err != nil {
				t.Fatal(err)
			}
			kept, ids = append(kept, e), append(ids, l.Chain().ID(seq))
		}
		gone := kept[len(kept)-1] // the newest, whose number must not be given again
		if err := l.Erase(within(t), gone.Seq); err != nil {
			t.Fatal(err)
		}
		kept = kept[:len(kept)-1]
		l = f.Reopen()
		s, err := l.State(within(t))
		if err != nil || s.Last != gone.Seq || s.Events != uint64(len(kept)) {
			t.Fatalf("state after restart %d: %+v, %v; want last %d, %d events", round, s, err, gone.Seq, len(kept))
		}
		for _, id := range ids {
			if why := l.Chain().Locate(id, s.Last); why != "" {
				t.Errorf("cursor %v is %q after restart %d", id, why, round)
			}
			if now := l.Chain().ID(id.Seq); now != id {
				t.Errorf("event %v is called %v after restart %d", id, now, round)
			}
		}
		if _, err := l.Get(within(t), gone.Seq); !errors.Is(err, stream.ErrNotFound) {
			t.Errorf("erased event %d after restart: %v", gone.Seq, err)
		}
	}
	for i, e := range all(t, l, "a") {
		if k := kept[i]; e.Seq != k.Seq || !bytes.Equal(e.Data, k.Data) || !e.Time.Equal(k.Time) {
			t.Errorf("event %+v is now %+v", k, e)
		}
	}
}

func restartKeys(t *testing.T, f Fixture) {
	if f.Reopen == nil {
		t.Skip("this log cannot be reopened")
	}
	d := stream.Draft{Site: "a", Data: []byte("{}"), Key: "a key"}
	first := mustAppend(t, f.Log, d)
	mustAppend(t, f.Log, stream.Draft{Site: "a", Data: []byte("{}"), Key: "another"})
	l := f.Reopen()
	seq, duplicate, err := l.Append(within(t), d)
	if err != nil || !duplicate || seq != first {
		t.Errorf("key after a restart: %d, duplicate %v, %v; want %d, true", seq, duplicate, err, first)
	}
}
