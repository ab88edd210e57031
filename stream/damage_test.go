package stream_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"proofstream/stream"
)

// A log whose index was deleted has all its events, under the ids that they had. Who comes back from before is told a
// gap, gets what was not seen, and goes on from there without another.
func TestDamageKeepsIDs(t *testing.T) {
	dir, o := t.TempDir(), stream.Options{Retain: 100, Retention: time.Hour}
	first := openDeck(t, dir, o)
	stop := first.close(t)
	old := first.announce(t, "default", 6)
	stop()
	if err := os.Remove(filepath.Join(dir, "jetstream/$G/streams/proofstream/msgs/index.db")); err != nil {
		t.Fatal(err)
	}
	d := openDeck(t, dir, o)
	if len(d.log.Damage()) == 0 {
		t.Fatal("no damage was told")
	}
	t.Cleanup(d.close(t))

	for i, id := range old {
		want := texts(old[i+1:])
		s, w := d.join(t, stream.Request{Site: "default", Position: id.String()})
		if w.Replay != stream.Gap || w.Reason != stream.Foreign || w.Position.Seq != id.Seq || w.Position.Epoch == id.Epoch {
			t.Errorf("from %s: got %+v, want a gap, and its place in the new epoch", id, w)
		}
		if got := receive(t, s, len(want)); !slices.Equal(got, want) {
			t.Errorf("from %s: got %v, want %v", id, got, want)
		}
		s.Close(stream.Gone)
		d.continues(t, w.Position, want)
	}
	fresh, w := d.join(t, stream.Request{Site: "default", Recent: 2})
	if got, want := receive(t, fresh, 2), texts(old[4:]); !slices.Equal(got, want) {
		t.Errorf("a newcomer got %v, want %v", got, want)
	}
	fresh.Close(stream.Gone)
	d.continues(t, w.Position, texts(old[4:]))
	_, last := d.Recent("default", 1)
	d.continues(t, last, nil)

	next := d.announce(t, "default", 1)[0]
	d.continues(t, last, texts([]stream.ID{next}))
	d.erases(t, old[2], last)
}

// continues checks that a position is told complete, and followed by such events.
func (d *deck) continues(t *testing.T, from stream.ID, want []string) {
	t.Helper()
	s, w := d.join(t, stream.Request{Site: "default", Position: from.String()})
	defer s.Close(stream.Gone)
	if got := receive(t, s, len(want)); w.Replay != stream.Complete || !slices.Equal(got, want) {
		t.Errorf("from %s: got %+v and %v, want %v", from, w, got, want)
	}
}

// erases retracts an event from before the damage by its id, and looks what that id is to others then. Another name of
// the place, which positions have, is none of the event.
func (d *deck) erases(t *testing.T, id, position stream.ID) {
	t.Helper()
	for range 2 {
		if err := d.post.Retract(t.Context(), "default", id); err != nil {
			t.Errorf("retract %s: %v", id, err)
		}
	}
	position.Seq = id.Seq + 1
	if err := d.post.Retract(t.Context(), "default", position); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("retract the position %s: got %v, want ErrNotFound", position, err)
	}
	frames, _ := d.Recent("default", 20)
	if slices.ContainsFunc(frames, func(f *stream.Frame) bool { return string(f.ID()) == id.String() }) || len(frames) != 6 {
		t.Errorf("%s is there after its erasure, among %d", id, len(frames))
	}
}
