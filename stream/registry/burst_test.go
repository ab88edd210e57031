package registry_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/registry"
)

// A subscriber that lags far behind during live traffic catches up. A burst ends no subscriber that reads, although retention has removed events
// that some of them have not got yet.
func TestBurstBeyondRetentionEndsNobody(t *testing.T) {
	d := newFixture(t, 50, registry.Options{Buffer: 8, Window: 16})
	const readers, events = 40, 2000
	var reading sync.WaitGroup
	results := make([][]string, readers)
	start := make(chan struct{})
	for i := range readers {
		s, _ := d.join(t, registry.Request{Site: "default"})
		reading.Go(func() {
			defer s.Close(registry.Gone)
			if i%4 == 0 {
				<-start // reads only when the burst is over
			}
			results[i] = receive(t, s, events)
		})
	}
	want := texts(d.burst(t, "default", events))
	close(start)
	reading.Wait()
	for i := range results {
		if !slices.Equal(results[i], want) {
			t.Errorf("reader %d got %d events, want %d in order", i, len(results[i]), len(want))
		}
	}
	if st := d.Stats(); st.CatchUps == 0 || st.Ended[string(registry.Overrun)] != 0 {
		t.Errorf("got %d catch-ups and %d overruns, want some and none", st.CatchUps, st.Ended[string(registry.Overrun)])
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
		if w.Reason != stream.EpochChanged {
			t.Errorf("got %+v, want a gap for a foreign cursor", w)
		}
		time.Sleep(time.Duration(i%7) * 3 * time.Millisecond) // the time in which events expire
		receive(t, s, retain-50)
		s.Close(registry.Gone)
	}
	close(stop)
	posting.Wait()
}

// What a burst has left in memory is released when no subscriber needs it.
func TestMemoryIsLetGoAfterABurst(t *testing.T) {
	d := newFixture(t, 1000, registry.Options{Window: 64, Buffer: 4})
	s, _ := d.join(t, registry.Request{Site: "default"})
	defer s.Close(registry.Gone)
	d.delivered(t, d.burst(t, "default", 1000)[999])
	receive(t, s, 1000)
	waiting := time.AfterFunc(time.Second, func() { s.End(registry.Gone) })
	s.Next() // being admitted again is part of waiting for more
	waiting.Stop()
	if n, _ := d.InMemory("default"); n > 64 {
		t.Errorf("%d frames are in memory, want the window of 64", n)
	}
}

// What waits for stalled readers is bounded in bytes, whatever is posted meanwhile and however many readers there are, each
// stalled since another moment: it is kept once for all of them. A reader is ended when retention has overrun its cursor. The newest readers are not: their
// events are in memory.
func TestWhatWaitsForStuckReadersIsBounded(t *testing.T) {
	const bound = 64 << 10
	d := newFixture(t, 50, registry.Options{Window: 8, Buffer: 4, LaggingBytes: bound})
	var readers []*registry.Subscription
	for range 20 {
		for range 5 {
			s, _ := d.join(t, registry.Request{Site: "default"})
			readers = append(readers, s)
		}
		d.delivered(t, d.burst(t, "default", 100)[99])
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
