package registry_test

import (
	"slices"
	"strings"
	"testing"

	"proofstream/stream"
	"proofstream/stream/registry"
)

// A cursor older than what is kept gets a gap and all that is kept; one that misses nothing is complete, however
// old. Each is checked in memory, and in the log when nothing is in memory.
func TestCursorIsComparedWithTheLowWatermark(t *testing.T) {
	for _, window := range []int{1, 1000} {
		d := newFixture(t, 5, registry.Options{Window: window})
		quiet := d.announce(t, "quiet", 1)
		busy := d.announce(t, "busy", 12)
		for _, tc := range []struct {
			name, site string
			cursor     stream.ID
			replay     stream.Replay
			want       []stream.ID
		}{
			{"a quiet site's old event is still kept", "quiet", before(quiet[0]), stream.Complete, quiet},
			{"a quiet site misses nothing, whatever another one lost", "quiet", quiet[0], stream.Complete, nil},
			{"before the kept ones", "busy", busy[0], stream.Gap, busy[7:]},
			{"the last one that misses something", "busy", busy[5], stream.Gap, busy[7:]},
			{"the first one that misses nothing", "busy", busy[6], stream.Complete, busy[7:]},
			{"another site's", "busy", quiet[0], stream.Gap, busy[7:]},
		} {
			s, w := d.join(t, registry.Request{Site: tc.site, Cursor: tc.cursor.String()})
			if w.Replay != tc.replay || w.Replay == stream.Gap && tc.site == "busy" && tc.cursor.Epoch == busy[0].Epoch && w.Reason != stream.Expired {
				t.Errorf("window %d, %s: got %+v, want %s", window, tc.name, w, tc.replay)
			}
			if got, want := receive(t, s, len(tc.want)), texts(tc.want); !slices.Equal(got, want) {
				t.Errorf("window %d, %s: got %v, want %v", window, tc.name, got, want)
			}
			if len(tc.want) > 0 && w.Cursor.Seq >= tc.want[0].Seq {
				t.Errorf("window %d, %s: ready has %s, ahead of %s", window, tc.name, w.Cursor, tc.want[0])
			}
			s.Close(registry.Gone)
		}
	}
}

// What is no cursor of this log gets a gap with the reason, and not nothing.
func TestForeignAheadAndMalformedCursors(t *testing.T) {
	d := newFixture(t, 100, registry.Options{})
	kept := d.announce(t, "default", 4)
	newest := kept[3]
	ahead := stream.ID{Epoch: newest.Epoch, Seq: newest.Seq + 1000}
	for _, tc := range []struct {
		name, cursor string
		reason       stream.Reason
		recent       int
		want         []stream.ID
	}{
		{"a foreign epoch gets all that is kept", "zzzzz-3", stream.EpochChanged, 0, kept},
		{"beyond the newest goes on from there", ahead.String(), stream.Ahead, 0, nil},
		{"beyond the newest honours recent", ahead.String(), stream.Ahead, 2, kept[2:]},
		{"garbage goes on from the newest", "not an id", stream.Malformed, 0, nil},
		{"garbage honours recent", "k3v9-01", stream.Malformed, 3, kept[1:]},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, w := d.join(t, registry.Request{Site: "default", Cursor: tc.cursor, Recent: tc.recent})
			defer s.Close(registry.Gone)
			if w.Replay != stream.Gap || w.Reason != tc.reason {
				t.Errorf("got %+v, want a gap because %s", w, tc.reason)
			}
			got := receive(t, s, len(tc.want))
			if !slices.Equal(got, texts(tc.want)) {
				t.Errorf("got %v, want %v", got, texts(tc.want))
			}
			// Cut right after ready: a reconnection with its id must bring all of it.
			again, w2 := d.join(t, registry.Request{Site: "default", Cursor: w.Cursor.String()})
			defer again.Close(registry.Gone)
			if w2.Replay != stream.Complete {
				t.Errorf("the id of ready, %s, got %+v", w.Cursor, w2)
			}
			if got := receive(t, again, len(tc.want)); !slices.Equal(got, texts(tc.want)) {
				t.Errorf("after ready's id got %v, want %v", got, texts(tc.want))
			}
		})
	}
}

// After a restart, cursors are complete or get a gap as before.
func TestCursorsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	first := openFixture(t, dir, 5)
	stop := first.start(t, first.log, registry.Options{})
	posted := first.announce(t, "default", 9)
	stop()
	second := openFixture(t, dir, 5)
	t.Cleanup(second.start(t, second.log, registry.Options{}))
	fresh, w := second.join(t, registry.Request{Site: "default"})
	fresh.Close(registry.Gone)
	if w.Cursor != posted[8] {
		t.Errorf("ready is at %s, want the newest event's id %s", w.Cursor, posted[8])
	}
	later := second.announce(t, "default", 1)
	for i, id := range posted {
		want := append(texts(posted[5:]), later[0].String()) // the newest five
		if i >= 4 {
			want = append(texts(posted[i+1:]), later[0].String())
		}
		s, w := second.join(t, registry.Request{Site: "default", Cursor: id.String()})
		if got := receive(t, s, len(want)); !slices.Equal(got, want) {
			t.Errorf("from %s got %v, want %v", id, got, want)
		}
		if gap := w.Replay == stream.Gap; gap != (i < 4) {
			t.Errorf("from event %d of 9 got %+v", i+1, w)
		}
		s.Close(registry.Gone)
	}
	if strings.Split(later[0].String(), "-")[0] == posted[0].Epoch {
		t.Error("the restart opened no new epoch")
	}
}

// The id that a new installation gives before its first event is a cursor after restarts too.
func TestCursorOfAnEmptyLogSurvivesRestarts(t *testing.T) {
	dir := t.TempDir()
	cursor := ""
	for range 3 {
		d := openFixture(t, dir, 5)
		stop := d.start(t, d.log, registry.Options{})
		s, w := d.join(t, registry.Request{Site: "default", Cursor: cursor})
		if cursor != "" && w.Replay != stream.Complete {
			t.Errorf("%s got %+v", cursor, w)
		} else if cursor == "" {
			cursor = w.Cursor.String()
		}
		s.Close(registry.Gone)
		stop()
	}
	d := openFixture(t, dir, 5)
	t.Cleanup(d.start(t, d.log, registry.Options{}))
	want := texts(d.announce(t, "default", 2))
	s, w := d.join(t, registry.Request{Site: "default", Cursor: cursor})
	defer s.Close(registry.Gone)
	if got := receive(t, s, 2); w.Replay != stream.Complete || !slices.Equal(got, want) {
		t.Errorf("got %v (%+v), want %v complete", got, w, want)
	}
}

// A larger retention does not make a log forget that a smaller one has removed something.
func TestRaisedRetentionRemembersWhatIsGone(t *testing.T) {
	dir := t.TempDir()
	first := openFixture(t, dir, 3)
	stop := first.start(t, first.log, registry.Options{})
	first.announce(t, "default", 1)
	var gone []stream.ID
	for range 4 { // four retractions, of which three are kept
		gone = append(gone, first.announce(t, "default", 1)...)
		if err := first.Retract(t.Context(), "default", gone[len(gone)-1]); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	second := openFixture(t, dir, 30)
	t.Cleanup(second.start(t, second.log, registry.Options{}))
	s, w := second.join(t, registry.Request{Site: "default", Cursor: gone[0].String()})
	defer s.Close(registry.Gone)
	if w.Replay != stream.Gap || w.Reason != stream.Expired {
		t.Errorf("got %+v, want a gap: the first retraction is gone", w)
	}
}
