package natslog

import (
	"slices"
	"testing"

	"proofstream/stream"
	"proofstream/stream/natslog/natstest"
)

func sequences(events []stream.Event) (seqs []uint64) {
	for _, e := range events {
		seqs = append(seqs, e.ID.Seq)
	}
	return seqs
}

// TestReadCompletesALaggingReplica would catch events that are missing at the end of a page because the replica that
// was asked does not have them yet.
func TestReadCompletesALaggingReplica(t *testing.T) {
	l := opened(t, Options{URL: natstest.Start(t, 1).URL()})
	appendN(t, l, 6)
	if err := l.Erase(t.Context(), "a", 4); err != nil {
		t.Fatal(err)
	}
	s, _ := l.site(t.Context(), "a")
	for _, test := range []struct {
		last, high uint64
		max        int
		want       []uint64
	}{{2, 6, 10, []uint64{3, 5, 6}}, {2, 5, 10, []uint64{3, 5}}, {2, 6, 2, []uint64{3, 5}}, {6, 6, 9, nil}, {3, 4, 9, nil}} {
		r := batch{last: test.last}
		if err := l.complete(t.Context(), s, "*.*", test.high, test.max, &r); err != nil || !slices.Equal(sequences(r.events), test.want) {
			t.Errorf("completing %+v: %v, %v", test, sequences(r.events), err)
		}
	}
}

// TestReadFillsThePageAfterARemoval would catch a short page, which means that there is no more, because retention has removed events that
// a lagging replica still had.
func TestReadFillsThePageAfterARemoval(t *testing.T) {
	l := opened(t, Options{URL: natstest.Start(t, 1).URL(), Limits: stream.Limits{Events: 4}})
	s, _ := l.site(t.Context(), "a")
	var stale batch // the first two events, which are the whole page of the replica
	for seq := range uint64(6) {
		id := stream.ID{Seq: mustAppend(t, l, "")}
		if seq < 2 {
			stale.events, stale.last = append(stale.events, stream.Event{ID: id}), id.Seq
		}
	}
	events, b, err := l.finish(t.Context(), s, 0, 2, stale)
	if got := sequences(events); err != nil || !slices.Equal(got, []uint64{1, 2}) || b.Low != 1 {
		t.Errorf("a page without a gap: %v, low %d, %v; want [1 2], low 1: it was complete when it was read", got, b.Low, err)
	}
	stale.events = stale.events[1:] // the replica knew of the removal of event 1
	events, b, err = l.finish(t.Context(), s, 0, 1, stale)
	if got := sequences(events); err != nil || !slices.Equal(got, []uint64{3}) || b.Low != 3 {
		t.Errorf("a page of removed events: %v, low %d, %v; want [3], low 3", got, b.Low, err)
	}
}

// TestClip would catch a removal that passes for an erasure, or a gap where there is none.
func TestClip(t *testing.T) {
	for _, test := range []struct {
		name    string
		rows    []uint64
		low     uint64 // after the rows were read
		want    []uint64
		wantLow uint64
	}{
		{"all is kept", []uint64{3, 4, 5}, 3, []uint64{3, 4, 5}, 3},
		{"all was kept when it was read", []uint64{3, 4, 5}, 5, []uint64{3, 4, 5}, 3},
		{"the beginning had gone", []uint64{4, 5}, 4, []uint64{4, 5}, 4},
		{"a gap that may be a removal", []uint64{3, 5, 6}, 6, []uint64{6}, 6},
		{"a gap that is an erasure", []uint64{3, 5, 6}, 2, []uint64{3, 5, 6}, 2},
		{"nothing", nil, 9, nil, 9},
	} {
		var rows []stream.Event
		for _, seq := range test.rows {
			rows = append(rows, stream.Event{ID: stream.ID{Seq: seq}})
		}
		b := stream.Bounds{Low: test.low, High: 9}
		if got := sequences(clip(rows, 2, &b)); !slices.Equal(got, test.want) || b.Low != test.wantLow {
			t.Errorf("%s: %v, low %d; want %v, %d", test.name, got, b.Low, test.want, test.wantLow)
		}
	}
}
