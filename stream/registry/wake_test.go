package registry_test

import (
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"proofstream/stream/registry"
)

// woken is an owner that waits for Wake on a goroutine that it has.
type woken chan struct{}

// Wake blocks, with the site's lock, when it is called for an owner that is not idle: tests then hang.
func (w woken) Wake(bool) { w <- struct{}{} }

// polled returns a function like Next that uses WakeBy and Poll.
func polled(s *registry.Subscription) func() (registry.Batch, error) {
	w := make(woken, 1)
	s.WakeBy(w)
	return func() (registry.Batch, error) {
		for {
			b, err := s.Poll(false)
			if errors.Is(err, registry.ErrWouldBlock) {
				b, err = s.Poll(true)
			}
			if err != nil || b.Frames > 0 {
				return b, err
			}
			<-w
		}
	}
}

// An owner is woken once when something comes while it is idle, and not while it is awake.
func TestOwnerIsWokenWhenSomethingComes(t *testing.T) {
	d := newFixture(t, 1000, registry.Options{})
	s, _ := d.join(t, registry.Request{Site: "default"})
	w := make(woken, 1)
	s.WakeBy(w)
	d.announce(t, "default", 2) // it is awake, as it has not polled yet
	for got, empty := 0, false; got < 2 || !empty; {
		b, err := s.Poll(true)
		if err != nil {
			t.Fatal(err)
		}
		if empty = b.Frames == 0; empty && got < 2 {
			<-w
		}
		got += b.Frames
	}
	select {
	case <-w:
		t.Fatal("woken without a cause")
	default:
	}
	d.announce(t, "default", 1)
	<-w
	if b, err := s.Poll(true); err != nil || b.Frames != 1 {
		t.Fatalf("got %d frames and %v, want 1", b.Frames, err)
	}
	if b, err := s.Poll(true); err != nil || b.Frames != 0 {
		t.Fatalf("got %d frames and %v, want none", b.Frames, err)
	}
	s.End(registry.Gone)
	<-w
	if _, err := s.Poll(true); !errors.Is(err, registry.Gone) {
		t.Errorf("got %v, want gone", err)
	}
}

// An owner that is set after its subscription has ended gets the reason from its first Poll.
func TestOwnerOfAnEndedSubscription(t *testing.T) {
	d := newFixture(t, 1000, registry.Options{})
	s, _ := d.join(t, registry.Request{Site: "default"})
	s.End(registry.Drained)
	s.WakeBy(make(woken)) // nobody may wake it
	if _, err := s.Poll(true); !errors.Is(err, registry.Drained) {
		t.Errorf("got %v, want drain", err)
	}
}

// Frames that have left memory are read from the log, which can take a while: not on the goroutine that wakes other owners.
func TestPollReadsTheLogOnlyIfItMayBlock(t *testing.T) {
	d := newFixture(t, 1000, registry.Options{Buffer: 4, Window: 4, LaggingWindow: 4})
	s, _ := d.join(t, registry.Request{Site: "default"})
	w := make(woken, 1)
	s.WakeBy(w)
	want := texts(d.burst(t, "default", 100))
	var got []string
	for blocked := 0; len(got) < len(want); {
		b, err := s.Poll(false)
		if errors.Is(err, registry.ErrWouldBlock) {
			blocked++
			b, err = s.Poll(true)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, ids(b)...); b.Frames == 0 {
			<-w
		}
		if len(got) == len(want) && blocked == 0 {
			t.Error("the log was never read")
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// counted is an owner that counts how many are in Wake at once, and says after each call whether it was allowed to block.
type counted struct {
	sub    *registry.Subscription
	inside *atomic.Int32
	most   *atomic.Int32 // the most that were inside at once
	calls  chan<- bool
}

func (o counted) Wake(block bool) {
	if n := o.inside.Add(1); n > o.most.Load() {
		o.most.Store(n)
	}
	runtime.Gosched()
	for {
		if b, err := o.sub.Poll(block); err != nil || b.Frames == 0 {
			break
		}
	}
	o.inside.Add(-1)
	o.calls <- block
}

// An event wakes owners one after the other, a portion on each goroutine. The end of a subscription wakes its owner on a
// goroutine of its own.
func TestOwnersAreWokenTogether(t *testing.T) {
	d := newFixture(t, 1000, registry.Options{})
	const n = 100 // two portions
	var inside, most atomic.Int32
	calls := make(chan bool, 2*n)
	var subs []*registry.Subscription
	for range n {
		s, _ := d.join(t, registry.Request{Site: "default"})
		s.WakeBy(counted{s, &inside, &most, calls})
		if b, err := s.Poll(false); err != nil || b.Frames != 0 {
			t.Fatalf("got %d frames and %v", b.Frames, err)
		}
		subs = append(subs, s)
	}
	expect := func(block bool) {
		t.Helper()
		for range n {
			if got := <-calls; got != block {
				t.Fatalf("Wake was called with %v, want %v", got, block)
			}
		}
	}
	d.announce(t, "default", 1)
	expect(false)
	if most.Load() > 2 {
		t.Errorf("%d owners were woken at the same time, want one of each portion", most.Load())
	}
	for _, s := range subs {
		s.End(registry.Gone)
	}
	expect(true)
}
