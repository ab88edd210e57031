package natslog

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/natslog/natstest"
	"proofstream/stream/waitfor"
)

// source is an embedded log with one site, a, and an empty one, b.
type source struct {
	bounds stream.Bounds
	events []stream.Record
	keys   []stream.Key
	stop   atomic.Bool // Events ends with an error half way
}

var errBroken = fmt.Errorf("broken source")

func (s *source) Sites(context.Context) ([]string, error) { return []string{"a", "b"}, nil }

func (s *source) Bounds(_ context.Context, site string) (stream.Bounds, error) {
	if site == "b" {
		return stream.Bounds{Low: 8, High: 7, Epochs: stream.NewEpochs(1)}, nil
	}
	return s.bounds, nil
}

func (s *source) Events(_ context.Context, site string) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) {
		for i, e := range s.events {
			if s.stop.Load() && i == len(s.events)/2 {
				yield(stream.Record{}, errBroken)
				return
			}
			if site == "b" || !yield(e, nil) {
				return
			}
		}
	}
}

func (s *source) Keys(_ context.Context, site string) iter.Seq2[stream.Key, error] {
	return func(yield func(stream.Key, error) bool) {
		for _, k := range s.keys {
			if site == "b" || !yield(k, nil) {
				return
			}
		}
	}
}

// newSource returns a log from 101 to 1200 without every seventh event, the last and the newest key of what retention has
// removed.
func newSource() *source {
	s := &source{bounds: stream.Bounds{Low: 101, High: 1200, Epochs: stream.NewEpochs(1).Open(600)}}
	s.keys = append(s.keys, stream.Key{Hash: stream.HashKey("k90"), Seq: 90})
	for seq := uint64(101); seq <= 1200; seq++ {
		e := stream.Record{Event: stream.Event{
			ID: s.bounds.Epochs.ID(seq), Kind: stream.Kind(seq % 5 / 4), Data: fmt.Append(nil, seq),
			Time: time.Now().Add(-30 * time.Minute).Add(time.Duration(seq) * time.Second).Truncate(time.Millisecond).UTC(),
		}}
		if seq%3 == 0 {
			e.KeyHash = stream.HashKey(fmt.Sprint("k", seq))
			s.keys = append(s.keys, stream.Key{Hash: e.KeyHash, Seq: seq})
		}
		if seq%7 != 0 && seq != 1200 {
			s.events = append(s.events, e)
		}
	}
	return s
}

// isCopied compares site a with the source.
func (s *source) isCopied(t *testing.T, l *Log) {
	t.Helper()
	events, b, err := l.Read(t.Context(), "a", 100, 2000)
	if err != nil || b.Low != 101 || b.High != 1200 || len(events) != len(s.events) {
		t.Fatalf("%d events in %d..%d, %v; want %d in 101..1200", len(events), b.Low, b.High, err, len(s.events))
	}
	for i, want := range s.events {
		if got := events[i]; got.ID != want.ID || got.Kind != want.Kind || !got.Time.Equal(want.Time) || !bytes.Equal(got.Data, want.Data) {
			t.Fatalf("got %+v, want %+v", got, want.Event)
		}
	}
	for _, cursor := range []stream.ID{s.bounds.Epochs.ID(100), s.bounds.Epochs.ID(601), s.bounds.Epochs.ID(1200)} {
		if reason, _ := b.Check(cursor); reason != "" {
			t.Errorf("cursor %v is %q", cursor, reason)
		}
	}
	for _, key := range []uint64{90, 300, 273, 1200} { // removed, kept, erased, erased as the newest
		id, duplicate, err := l.Append(t.Context(), "a", stream.Entry{Data: payload, Key: fmt.Sprint("k", key)})
		if err != nil || !duplicate || id.Seq != key {
			t.Errorf("key of %d again: %v, duplicate %t, %v", key, id, duplicate, err)
		}
	}
}

// TestMigrate would catch a move to a cluster that loses an event, its id, its time, the cursor of
// a subscriber or the key of a post, or that brings back what was erased.
func TestMigrate(t *testing.T) {
	eachCluster(t, func(t *testing.T, _ *natstest.Cluster, o Options) {
		var logged waitfor.Output
		o.Logger = logger(&logged)
		o.Limits.Events = 1100
		l, src := opened(t, o), newSource()
		if err := l.Migrate(t.Context(), src); err != nil {
			t.Fatal(err)
		}
		src.isCopied(t, l)
		if info, err := l.describe(t.Context(), "a", ""); err != nil || info.Config.MaxMsgs != 1100 || info.Config.Replicas != o.Replicas {
			t.Errorf("settings: %+v, %v", info.Config, err)
		}
		id, _, err := l.Append(t.Context(), "a", stream.Entry{Data: payload})
		if err != nil || id.Seq != 1201 || id.Epoch == src.bounds.Epochs.ID(1200).Epoch {
			t.Errorf("append: %v %v; want 1201 in a new epoch", id, err)
		}
		if b, err := l.Bounds(t.Context(), "b"); err != nil || b.Low != 8 || b.High != 7 {
			t.Errorf("empty site: %+v, %v", b, err)
		}
		if err := l.Migrate(t.Context(), src); err != nil || strings.Count(logged.String(), "not copied") != 2 {
			t.Errorf("a second start: %v; log lines: %s", err, &logged)
		}
		t.Logf("log lines: %s", &logged)
	})
}

// TestMigrateAgain would catch a copy that was interrupted and is taken for complete, and two nodes that both copy.
func TestMigrateAgain(t *testing.T) {
	t.Parallel()
	c := natstest.Start(t, 1)
	src := newSource()
	src.stop.Store(true)
	var logged waitfor.Output
	o := Options{URL: c.URL(), Logger: logger(&logged), Limits: stream.Limits{Events: 5000}}
	a, b := opened(t, o), opened(t, o)
	if err := a.Migrate(t.Context(), src); err == nil || !strings.Contains(err.Error(), errBroken.Error()) {
		t.Fatalf("migrate from a broken source: %v", err)
	}
	if _, _, err := a.Append(t.Context(), "a", stream.Entry{Data: payload}); err == nil {
		t.Error("appended to a copy that is not complete")
	}
	src.stop.Store(false)
	var wg sync.WaitGroup
	for _, l := range []*Log{a, b} {
		wg.Go(func() {
			if err := l.Migrate(t.Context(), src); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	src.isCopied(t, b)
	if text := logged.String(); strings.Count(text, "copied the site") != 2 || strings.Count(text, "not copied") != 2 {
		t.Errorf("log lines: %s", text)
	}
}

// TestMigratedEventsExpire would catch events that are kept for their whole age once more, or that go in another order.
func TestMigratedEventsExpire(t *testing.T) {
	t.Parallel()
	l := opened(t, Options{URL: natstest.Start(t, 1).URL(), Limits: stream.Limits{Events: 100, Age: time.Hour}})
	src := &source{bounds: stream.Bounds{Low: 1, High: 5, Epochs: stream.NewEpochs(1)}}
	for i, left := range []time.Duration{2 * time.Second, time.Second, 4 * time.Second, 30 * time.Minute, 31 * time.Minute} {
		src.events = append(src.events, stream.Record{Event: stream.Event{ID: stream.ID{Seq: uint64(i + 1)}, Time: time.Now().Add(left - time.Hour), Data: payload}})
	}
	if err := l.Migrate(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	lows := map[uint64]bool{}
	waitfor.Fact(t, "the oldest three have expired", func() bool {
		b, err := l.Bounds(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		lows[b.Low] = true
		if events, _, err := l.Read(t.Context(), "a", b.Low-1, 10); err != nil || len(events) > 0 && len(events) != int(6-events[0].ID.Seq) {
			t.Fatalf("a gap in the sequence: %v, %v", sequences(events), err)
		}
		return b.Low == 4
	})
	t.Logf("low watermarks seen: %v", slices.Sorted(maps.Keys(lows)))
	if events, _, err := l.Read(t.Context(), "a", 3, 10); err != nil || len(events) != 2 {
		t.Errorf("left: %v, %v; want two", sequences(events), err)
	}
}
