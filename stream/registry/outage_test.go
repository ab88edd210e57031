package registry_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/registry"
)

// wrapped is a log with hooks in some of its calls.
type wrapped struct {
	stream.Log
	follow func()
	read   func() error
	bounds func(stream.Bounds) stream.Bounds
}

func (l *wrapped) Bounds(ctx context.Context, site string) (stream.Bounds, error) {
	b, err := l.Log.Bounds(ctx, site)
	if l.bounds != nil {
		b = l.bounds(b)
	}
	return b, err
}

func (l *wrapped) Follow(ctx context.Context, site string, after uint64) iter.Seq2[stream.Event, error] {
	if l.follow != nil {
		l.follow()
	}
	return l.Log.Follow(ctx, site, after)
}

func (l *wrapped) Read(ctx context.Context, site string, after uint64, max int) ([]stream.Event, stream.Bounds, error) {
	if l.read != nil {
		if err := l.read(); err != nil {
			return nil, stream.Bounds{}, err
		}
	}
	return l.Log.Read(ctx, site, after, max)
}

// When retention overruns a site's follower, its streams end. Each gets a gap when it reconnects, and then all that is kept.
func TestOverrunEndsStreamsAndGetsAGap(t *testing.T) {
	d := openFixture(t, t.TempDir(), 20)
	hold := make(chan struct{})
	log := &wrapped{Log: d.log, follow: func() { <-hold }}
	t.Cleanup(d.start(t, log, registry.Options{}))
	s, w := d.join(t, registry.Request{Site: "default"})
	for range 50 { // past the registry, which would make them wait for its reader
		if _, _, err := d.log.Append(t.Context(), "default", stream.Entry{Data: []byte(`{"user_name":"Ada"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	close(hold)
	if b, err := s.Next(); !errors.Is(err, registry.Overrun) {
		t.Errorf("got %q, %v, want Overrun", b.Bytes, err)
	}
	s.Close(registry.Gone)
	s, w = d.join(t, registry.Request{Site: "default", Cursor: w.Cursor.String()})
	defer s.Close(registry.Gone)
	if w.Replay != stream.Gap || w.Reason != stream.Expired {
		t.Errorf("on reconnection got %+v, want a gap", w)
	}
	receive(t, s, 20)
	if st := d.Stats(); st.Overruns != 1 || st.Ended["overrun"] != 1 {
		t.Errorf("got %d overruns and %v, want one of each", st.Overruns, st.Ended)
	}
}

// Events that expire before a follower that hangs delivers them give a gap, also when none comes after them.
func TestExpiredBeforeDeliveryGetsAGap(t *testing.T) {
	d := openFixture(t, t.TempDir(), 20)
	hold := make(chan struct{})
	log := &wrapped{Log: d.log, follow: func() { <-hold }, bounds: func(b stream.Bounds) stream.Bounds {
		b.Low, b.Signups = b.High+1, 0
		return b
	}}
	stop := d.start(t, log, registry.Options{})
	t.Cleanup(func() { close(hold); stop() })
	s, _ := d.join(t, registry.Request{Site: "default"})
	defer s.Close(registry.Gone)
	if _, _, err := d.log.Append(t.Context(), "default", stream.Entry{Data: []byte(`{"user_name":"Ada"}`)}); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(20*time.Second, func() { s.End(registry.Slow) })
	defer timer.Stop()
	if b, err := s.Next(); !errors.Is(err, registry.Overrun) {
		t.Errorf("got %q, %v, want Overrun", b.Bytes, err)
	}
}

// A jump over erased events is no loss.
func TestJumpOverErasedEventsEndsNoStream(t *testing.T) {
	d := openFixture(t, t.TempDir(), 20)
	hold := make(chan struct{})
	log := &wrapped{Log: d.log, follow: func() { <-hold }}
	t.Cleanup(d.start(t, log, registry.Options{}))
	s, _ := d.join(t, registry.Request{Site: "default"})
	defer s.Close(registry.Gone)
	posted := d.announce(t, "default", 6)
	for _, id := range posted[1:4] {
		if err := d.log.Erase(t.Context(), "default", id.Seq); err != nil {
			t.Fatal(err)
		}
	}
	close(hold)
	want := texts([]stream.ID{posted[0], posted[4], posted[5]})
	if got := receive(t, s, 3); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// readHeartbeats reads heartbeats until the subscription ends, and calls second at the second one.
func readHeartbeats(t *testing.T, s *registry.Subscription, second func()) {
	defer s.Close(registry.Gone)
	for n := 1; ; n++ {
		b, err := s.Next()
		if err != nil {
			return
		}
		if string(b.Bytes) != stream.Heartbeat {
			t.Errorf("got %q while the log is unavailable", b.Bytes)
		}
		if n == 2 {
			second()
		}
	}
}

// A log that cannot be read for a while leaves streams that catch up alive, and they notice their end at once.
func TestUnavailableLogKeepsStreamsAlive(t *testing.T) {
	d := openFixture(t, t.TempDir(), 200)
	var unavailable atomic.Bool
	log := &wrapped{Log: d.log, read: func() error {
		if unavailable.Load() {
			return fmt.Errorf("%w: for a test", stream.ErrUnavailable)
		}
		return nil
	}}
	t.Cleanup(d.start(t, log, registry.Options{Window: 4, Buffer: 4, LaggingWindow: 4}))
	posted := d.announce(t, "default", 100)
	var subs []*registry.Subscription
	for range 100 {
		s, _ := d.join(t, registry.Request{Site: "default", Cursor: posted[0].String()})
		receive(t, s, 4) // the page that came with the join
		subs = append(subs, s)
	}
	unavailable.Store(true)
	var reading, alive sync.WaitGroup
	for _, s := range subs {
		alive.Add(1)
		reading.Go(func() { readHeartbeats(t, s, alive.Done) })
	}
	alive.Wait()
	started := time.Now()
	if err := d.Drain(t.Context(), 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	reading.Wait()
	if late := time.Since(started); late > 2*time.Second { // of which the drain takes 0.1 s
		t.Errorf("the streams took %v to notice their end", late)
	}
}
