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

// wrapped is a log of which some calls go another way first.
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

// A reader that retention has overrun ends its streams; each returns to a gap, and gets all that is kept.
func TestOverrunEndsStreamsAndIsToldAsAGap(t *testing.T) {
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
		t.Errorf("on return got %+v, want a gap", w)
	}
	receive(t, s, 20)
	if st := d.Stats(); st.Overruns != 1 || st.Ended["overrun"] != 1 {
		t.Errorf("got %d overruns and %v, want one of each", st.Overruns, st.Ended)
	}
}

// Events that expire before a stuck reader hands them out are not missed in silence, also when none comes after them.
func TestExpiredBeforeHandOutIsToldAsAGap(t *testing.T) {
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

// A jump over erased events is nobody's loss.
func TestJumpOverErasedEventsEndsNobody(t *testing.T) {
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

// A subscriber with a gap gets what is kept while posts go on: events that expire meanwhile are part of the gap.
func TestGapIsServedWhilePostsGoOn(t *testing.T) {
	const retain = 300
	d := newFixture(t, retain, registry.Options{Window: 64})
	d.burst(t, "default", retain+50)
	stop := make(chan struct{})
	var posting sync.WaitGroup
	posting.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond) // all that is kept is replaced in 1.5 s: so late a busy machine is not
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				d.announce(t, "default", 1)
			}
		}
	})
	for i := range 20 {
		s, w := d.join(t, registry.Request{Site: "default", Cursor: "zzz-0"})
		if w.Reason != stream.Foreign {
			t.Errorf("was told %+v, want a gap for a foreign cursor", w)
		}
		time.Sleep(time.Duration(i%7) * 3 * time.Millisecond) // the time in which events expire
		receive(t, s, retain-50)
		s.Close(registry.Gone)
	}
	close(stop)
	posting.Wait()
}

// A log that cannot be read for a while leaves streams that catch up alive, and they notice their end at once.
func TestUnavailableLogKeepsStreamsAlive(t *testing.T) {
	d := openFixture(t, t.TempDir(), 200)
	var away atomic.Bool
	log := &wrapped{Log: d.log, read: func() error {
		if away.Load() {
			return fmt.Errorf("%w: away", stream.ErrUnavailable)
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
	away.Store(true)
	var reading, alive sync.WaitGroup
	for _, s := range subs {
		alive.Add(2)
		reading.Go(func() {
			for beats := 0; ; beats++ {
				b, err := s.Next()
				if err != nil {
					break
				}
				if string(b.Bytes) != stream.Heartbeat {
					t.Errorf("got %q while the log is away", b.Bytes)
				}
				if beats < 2 {
					alive.Done()
				}
			}
			s.Close(registry.Gone)
		})
	}
	alive.Wait()
	begun := time.Now()
	if err := d.Drain(t.Context(), 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	reading.Wait()
	if late := time.Since(begun); late > 2*time.Second { // of which the drain takes 0.1 s
		t.Errorf("the streams took %v to notice their end", late)
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

// The id that a new installation gives before its first event is a cursor after restarts too.
func TestCursorOfAnEmptyLogSurvivesRestarts(t *testing.T) {
	dir := t.TempDir()
	cursor := ""
	for range 3 {
		d := openFixture(t, dir, 5)
		stop := d.start(t, d.log, registry.Options{})
		s, w := d.join(t, registry.Request{Site: "default", Cursor: cursor})
		if cursor != "" && w.Replay != stream.Complete {
			t.Errorf("%s was told %+v", cursor, w)
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
		t.Errorf("was told %+v, want a gap: the first retraction is gone", w)
	}
}

// What a burst has left in memory goes when nobody needs it any more.
func TestMemoryIsLetGoAfterABurst(t *testing.T) {
	d := newFixture(t, 1000, registry.Options{Window: 64, Buffer: 4})
	s, _ := d.join(t, registry.Request{Site: "default"})
	defer s.Close(registry.Gone)
	d.handedOut(t, d.burst(t, "default", 1000)[999])
	receive(t, s, 1000)
	waiting := time.AfterFunc(time.Second, func() { s.End(registry.Gone) })
	s.Next() // being admitted again is part of waiting for more
	waiting.Stop()
	if n, _ := d.InMemory("default"); n > 64 {
		t.Errorf("%d frames are in memory, want the window of 64", n)
	}
}

// What waits for readers that are stuck is bounded in bytes, whatever is posted meanwhile and however many they are, each
// stuck since another moment: it is kept once for all. They are ended when the log has lost their places too, but
// for the newest, whose events are in memory.
func TestWhatWaitsForStuckReadersIsBounded(t *testing.T) {
	const bound = 64 << 10
	d := newFixture(t, 50, registry.Options{Window: 8, Buffer: 4, LaggingBytes: bound})
	var readers []*registry.Subscription
	for range 20 {
		for range 5 {
			s, _ := d.join(t, registry.Request{Site: "default"})
			readers = append(readers, s)
		}
		d.handedOut(t, d.burst(t, "default", 100)[99])
		if _, n := d.InMemory("default"); n > bound+stream.MaxFrame {
			t.Fatalf("%d bytes wait for %d readers, want at most %d", n, len(readers), bound)
		}
	}
	for i, s := range readers {
		var err error
		for err == nil && i < len(readers)/2 {
			_, err = s.Next()
		}
		if err != nil && !errors.Is(err, registry.Overrun) {
			t.Errorf("reader %d, back far too late, got %v, want Overrun", i, err)
		}
		s.Close(registry.Gone)
	}
	if n, _ := d.InMemory("default"); n > 8 {
		t.Errorf("%d frames are in memory after they left, want the window of 8", n)
	}
}

// BenchmarkJoin is a visit with twenty missed events, all in memory.
func BenchmarkJoin(b *testing.B) {
	d := newFixture(b, 1000, registry.Options{})
	posted := d.announce(b, "default", 100)
	d.handedOut(b, posted[99])
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
