package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/stream"
)

// wrapped is a log of which some calls go another way first.
type wrapped struct {
	stream.Log
	erase func()
	read  func() error
}

func (l *wrapped) Erase(ctx context.Context, seq uint64) error {
	if l.erase != nil {
		l.erase()
	}
	return l.Log.Erase(ctx, seq)
}

func (l *wrapped) Read(ctx context.Context, site string, after uint64, max int) ([]stream.Event, error) {
	if l.read != nil {
		if err := l.read(); err != nil {
			return nil, err
		}
	}
	return l.Log.Read(ctx, site, after, max)
}

// A post between a retraction and its erasure makes the log drop one event more than the registry
// counted. A position before that must soon be told the gap and get all that is kept; it must not
// be promised everything again and again, nor keep other sites from the log.
func TestWhatTheLogLacksIsToldAsAGap(t *testing.T) {
	d := newDeck(t, stream.Options{Retain: 20, Retention: time.Hour, Window: 4})
	posted := d.announce(t, "default", 20)
	d.handedOut(t, posted[19])
	d.post.Log = &wrapped{Log: d.log, erase: func() { d.handedOut(t, d.announce(t, "default", 1)[0]) }}
	if err := d.post.Retract(t.Context(), "default", posted[10]); err != nil {
		t.Fatal(err)
	}
	old := stream.Request{Site: "default", Position: before(posted[0]).String()}
	s, _ := d.join(t, old)
	for err := error(nil); err == nil; {
		_, err = s.Next()
		if err != nil && !errors.Is(err, stream.Overtaken) {
			t.Errorf("got %v, want Overtaken", err)
		}
	}
	s.Close(stream.Gone)
	s, w := d.join(t, old)
	defer s.Close(stream.Gone)
	if w.Replay != stream.Gap || w.Reason != stream.Expired {
		t.Errorf("the second time was told %+v, want a gap", w)
	}
	if got := receive(t, s, 20); len(got) != 20 { // 18 of the first 20, the retraction, the post
		t.Errorf("got %d events, want the 20 that are kept", len(got))
	}
}

// Whoever is told a gap gets what is kept while posts go on: events that expire meanwhile are part
// of the gap, no reason to be sent away.
func TestGapIsServedWhilePostsGoOn(t *testing.T) {
	const retain = 300
	d := newDeck(t, stream.Options{Retain: retain, Window: 64, Retention: time.Hour})
	d.announce(t, "default", retain+50)
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
		s, w := d.join(t, stream.Request{Site: "default", Position: "zzz-0"})
		if w.Reason != stream.Foreign {
			t.Errorf("was told %+v, want a foreign position's gap", w)
		}
		time.Sleep(time.Duration(i%7) * 3 * time.Millisecond) // the time in which events expire
		receive(t, s, retain-50)
		s.Close(stream.Gone)
	}
	close(stop)
	posting.Wait()
}

// A log that cannot be read for a while leaves streams that catch up alive, and they hear of a drain
// in good time.
func TestLogAwayKeepsStreamsAlive(t *testing.T) {
	o := stream.Options{Retain: 200, Retention: time.Hour, Window: 4}
	d := openDeck(t, t.TempDir(), o)
	var away atomic.Bool
	log := &wrapped{Log: d.log, read: func() error {
		if away.Load() {
			return fmt.Errorf("%w: away", stream.ErrUnavailable)
		}
		return nil
	}}
	d.Registry = stream.NewRegistry(log, o)
	d.post = &stream.Poster{Log: log, Registry: d.Registry}
	t.Cleanup(d.close(t))
	posted := d.announce(t, "default", 100)
	d.handedOut(t, posted[99])
	away.Store(true)
	var (
		reading sync.WaitGroup
		longest atomic.Int64
	)
	for range 100 {
		s, _ := d.join(t, stream.Request{Site: "default", Position: posted[0].String()})
		reading.Go(func() {
			for last, err := time.Now(), error(nil); err == nil; last = time.Now() {
				_, err = s.Next()
				longest.Store(max(longest.Load(), int64(time.Since(last))))
			}
			s.Close(stream.Gone)
		})
	}
	time.Sleep(3 * time.Second) // the time of the outage
	if err := d.Drain(t.Context(), 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	reading.Wait()
	if silence := time.Duration(longest.Load()); silence > 8*time.Second {
		t.Errorf("a stream heard nothing for %v", silence)
	}
}

// Retractions may fill what is in memory: newcomers get the newest signups all the same.
func TestRecentLooksPastRetractions(t *testing.T) {
	d := newDeck(t, stream.Options{Retain: 100, Retention: time.Hour, Window: 16})
	kept := d.announce(t, "default", 5)
	for range 20 {
		id := d.announce(t, "default", 1)[0]
		if err := d.post.Retract(t.Context(), "default", id); err != nil {
			t.Fatal(err)
		}
	}
	frames, _ := d.Recent("default", 3)
	var got []string
	for _, f := range frames {
		got = append(got, string(f.ID()))
	}
	if want := texts(kept[2:]); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// The id that a new installation gives before its first event is a position after a restart too.
func TestPositionOfAnEmptyLogSurvivesRestarts(t *testing.T) {
	dir, o := t.TempDir(), stream.Options{Retain: 5, Retention: time.Hour}
	position := ""
	for range 3 {
		d := openDeck(t, dir, o)
		stop := d.close(t)
		s, w := d.join(t, stream.Request{Site: "default", Position: position})
		if position != "" && w.Replay != stream.Complete {
			t.Errorf("%s was told %+v", position, w)
		} else if position == "" {
			position = w.Position.String()
		}
		s.Close(stream.Gone)
		stop()
	}
	d := openDeck(t, dir, o)
	t.Cleanup(d.close(t))
	want := texts(d.announce(t, "default", 2))
	s, w := d.join(t, stream.Request{Site: "default", Position: position})
	defer s.Close(stream.Gone)
	if got := receive(t, s, 2); w.Replay != stream.Complete || !slices.Equal(got, want) {
		t.Errorf("got %v (%+v), want %v complete", got, w, want)
	}
}

// A larger retention does not make a log forget that a smaller one has removed something.
func TestRaisedRetentionRemembersWhatIsGone(t *testing.T) {
	dir := t.TempDir()
	first := openDeck(t, dir, stream.Options{Retain: 3, Retention: time.Hour})
	stop := first.close(t)
	first.announce(t, "default", 1)
	var gone []stream.ID
	for range 4 { // four retractions, of which three are kept
		gone = append(gone, first.announce(t, "default", 1)...)
		if err := first.post.Retract(t.Context(), "default", gone[len(gone)-1]); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	second := openDeck(t, dir, stream.Options{Retain: 30, Retention: time.Hour})
	t.Cleanup(second.close(t))
	s, w := second.join(t, stream.Request{Site: "default", Position: gone[0].String()})
	defer s.Close(stream.Gone)
	if w.Replay != stream.Gap || w.Reason != stream.Expired {
		t.Errorf("was told %+v, want a gap: the first retraction is gone", w)
	}
}

// What a burst has left in memory goes when nobody needs it any more.
func TestMemoryIsLetGoAfterABurst(t *testing.T) {
	d := newDeck(t, stream.Options{Retain: 1000, Retention: time.Hour, Window: 64, Buffer: 4})
	s, _ := d.join(t, stream.Request{Site: "default"})
	defer s.Close(stream.Gone)
	d.handedOut(t, d.announce(t, "default", 1000)[999])
	receive(t, s, 1000)
	waiting := time.AfterFunc(time.Second, func() { s.End(stream.Gone) })
	s.Next() // being admitted again is part of waiting for more
	waiting.Stop()
	if n := d.InMemory("default"); n > 64 {
		t.Errorf("%d frames are in memory, want the window of 64", n)
	}
}

// What waits for readers that are stuck is bounded in bytes, whatever is posted meanwhile and however many they are, each
// stuck since another moment: it is kept once for all. They are ended when the log has lost their places too, but
// for the newest, whose events are in memory.
func TestWhatWaitsForStuckReadersIsBounded(t *testing.T) {
	const bound = 64 << 10
	d := newDeck(t, stream.Options{Retain: 50, Retention: time.Hour, Window: 8, Buffer: 4, ArrearsBytes: bound})
	var readers []*stream.Subscription
	for range 20 {
		for range 5 {
			s, _ := d.join(t, stream.Request{Site: "default"})
			readers = append(readers, s)
		}
		d.handedOut(t, d.announce(t, "default", 100)[99])
		if n := d.BytesInMemory("default"); n > bound+stream.MaxFrame {
			t.Fatalf("%d bytes wait for %d readers, want at most %d", n, len(readers), bound)
		}
	}
	for i, s := range readers {
		var err error
		for err == nil && i < len(readers)/2 {
			_, err = s.Next()
		}
		if err != nil && !errors.Is(err, stream.Overtaken) {
			t.Errorf("reader %d, back far too late, got %v, want Overtaken", i, err)
		}
		s.Close(stream.Gone)
	}
	if n := d.InMemory("default"); n > 8 {
		t.Errorf("%d frames are in memory after they left, want the window of 8", n)
	}
}

// BenchmarkJoin is a visit with twenty missed events, all in memory.
func BenchmarkJoin(b *testing.B) {
	d := newDeck(b, stream.Options{Retain: 1000, Retention: time.Hour})
	posted := d.announce(b, "default", 100)
	d.handedOut(b, posted[99])
	q := stream.Request{Site: "default", Position: posted[79].String()}
	b.ReportAllocs()
	for b.Loop() {
		s, _ := d.join(b, q)
		if _, err := s.Next(); err != nil {
			b.Fatal(err)
		}
		s.Close(stream.Gone)
	}
}
