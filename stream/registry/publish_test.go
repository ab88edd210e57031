package registry_test

import (
	"errors"
	"slices"
	"testing"

	"proofstream/stream"
	"proofstream/stream/registry"
)

// A post is visible to its own client at once: in /recent, in the numbers, and before a new subscription.
func TestPostIsVisibleAtOnce(t *testing.T) {
	d := newFixture(t, 1000, registry.Options{})
	for i := range 300 {
		id := d.announce(t, "default", 1)[0]
		if got, cursor := d.recent(t, "default", 1); len(got) != 1 || got[0] != id.String() || cursor != id {
			t.Fatalf("after post %d, %s, the newest is %v with cursor %s", i, id, got, cursor)
		}
		if _, n, err := d.Numbers(t.Context(), "default"); n != i+1 || err != nil {
			t.Fatalf("after post %d there are %d, %v", i+1, n, err)
		}
		if i%10 == 0 {
			s, w := d.join(t, registry.Request{Site: "default"})
			s.Close(registry.Gone)
			if w.Cursor != id {
				t.Fatalf("after post %s a new subscription starts at %s", id, w.Cursor)
			}
		}
	}
}

// Erased events are withdrawn, never replayed again, and the retraction is: kept beside the others,
// not counted, for its own site alone.
func TestRetractionIsReplayedAndTheEventIsNot(t *testing.T) {
	d := newFixture(t, 5, registry.Options{})
	posted := d.announce(t, "default", 3)
	if err := d.Retract(t.Context(), "other", posted[1]); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("another site's key got %v, want ErrNotFound", err)
	}
	for range 2 { // the second time is no error and no second retraction
		if err := d.Retract(t.Context(), "default", posted[1]); err != nil {
			t.Fatal(err)
		}
	}
	last := d.announce(t, "default", 1)[0]
	retraction := stream.ID{Epoch: last.Epoch, Seq: last.Seq - 1}
	want := texts([]stream.ID{posted[0], posted[2], retraction, last})
	s, w := d.join(t, registry.Request{Site: "default", Cursor: before(posted[0]).String()})
	defer s.Close(registry.Gone)
	if got := receive(t, s, 4); w.Replay != stream.Complete || !slices.Equal(got, want) {
		t.Errorf("got %v (%+v), want %v complete", got, w, want)
	}
	if got, _ := d.recent(t, "default", 5); len(got) != 3 {
		t.Errorf("recent has %v, want the 3 that are left", got)
	}
	for _, tc := range []struct {
		name string
		id   stream.ID
	}{
		{"never given", stream.ID{Epoch: last.Epoch, Seq: last.Seq + 7}},
		{"of a foreign log", stream.ID{Epoch: "zzz", Seq: 1}},
		{"a retraction's own", retraction},
	} {
		if err := d.Retract(t.Context(), "default", tc.id); !errors.Is(err, stream.ErrNotFound) {
			t.Errorf("an id %s got %v, want ErrNotFound", tc.name, err)
		}
	}
}

// An idempotency key retracts its own site's signup, again and again, and nothing that was never published with it.
func TestRetractKey(t *testing.T) {
	d := newFixture(t, 100, registry.Options{})
	first, _, err := d.Publish(t.Context(), "default", []byte(`{"user_name":"Ada"}`), "order-1")
	if err != nil {
		t.Fatal(err)
	}
	kept := d.announce(t, "default", 1)
	for _, tc := range []struct{ name, site, key string }{
		{"another site's", "other", "order-1"},
		{"never given", "default", "order-2"},
		{"a retraction's own", "default", "retract:" + first.String()},
		{"none", "default", ""},
	} {
		if id, err := d.RetractKey(t.Context(), tc.site, tc.key); !errors.Is(err, stream.ErrNotFound) {
			t.Errorf("a key %s got %v, %v, want ErrNotFound", tc.name, id, err)
		}
	}
	for range 2 {
		if id, err := d.RetractKey(t.Context(), "default", "order-1"); id != first || err != nil {
			t.Errorf("got %v, %v, want %v", id, err, first)
		}
	}
	if got, _ := d.recent(t, "default", 5); !slices.Equal(got, texts(kept)) {
		t.Errorf("recent has %v, want %v", got, texts(kept))
	}
	if id, duplicate, err := d.Publish(t.Context(), "default", []byte(`{"user_name":"Ada"}`), "order-1"); id != first || !duplicate || err != nil {
		t.Errorf("a retry of the erased post got %v, %v, %v, want %v, true", id, duplicate, err, first)
	}
}

// Retractions may fill what is in memory: newcomers get the newest signups all the same.
func TestRecentLooksPastRetractions(t *testing.T) {
	d := newFixture(t, 100, registry.Options{Window: 16})
	kept := d.announce(t, "default", 5)
	for range 20 {
		id := d.announce(t, "default", 1)[0]
		if err := d.Retract(t.Context(), "default", id); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := d.recent(t, "default", 3)
	if want := texts(kept[2:]); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// BenchmarkJoin is a visit with twenty missed events, all in memory.
func BenchmarkJoin(b *testing.B) {
	d := newFixture(b, 1000, registry.Options{})
	posted := d.announce(b, "default", 100)
	d.delivered(b, posted[99])
	q := registry.Request{Site: "default", Cursor: posted[79].String()}
	b.ReportAllocs()
	for b.Loop() {
		s, _ := d.join(b, q)
		if _, err := s.Next(); err != nil {
			b.Fatal(err)
		}
		s.Close(registry.Gone)
	}
}
