package registry

import (
	"sync"
	"testing"
	"time"

	"proofstream/stream"
)

// siteOf returns a site with n live subscriptions.
func siteOf(n int) *site {
	r := New(nil, Options{MaxSubscribers: n})
	t := r.site("default")
	for range n {
		s := &Subscription{ch: make(chan *stream.Frame, r.o.Buffer)}
		r.open.Add(1)
		t.mu.Lock()
		t.users++
		t.enter(s)
		t.mu.Unlock()
	}
	return t
}

// publish hands one event to all subscriptions of the site.
func (t *site) publish(tb testing.TB, seq uint64) {
	err := t.deliver(tb.Context(), stream.Event{ID: stream.ID{Epoch: "k3v9", Seq: seq}, Time: time.Now(),
		Data: []byte(`{"img_path":"default","offer_name":"Spring Sale","user_name":"Ada"}`)})
	if err != nil {
		tb.Fatal(err)
	}
	for t.sendPortion(portion) {
	}
	t.reg.queue.next()
}

// Each event is encoded once: what a delivery costs in memory must not grow with the subscribers.
func TestDeliveryAllocatesNothingPerSubscriber(t *testing.T) {
	perEvent := func(n int) float64 {
		site, seq := siteOf(n), uint64(0)
		all := site.subscriptions()
		return testing.AllocsPerRun(200, func() {
			seq++
			site.publish(t, seq)
			for _, s := range all {
				if b, err := s.Next(); err != nil || b.Frames != 1 {
					t.Fatalf("got %d frames, %v", b.Frames, err)
				}
			}
		})
	}
	if few, many := perEvent(1), perEvent(1000); many > few+1 {
		t.Errorf("an event costs %.0f allocations for 1,000 subscribers, %.0f for one", many, few)
	}
}

// A subscription that leaves in the middle of a round, from either list, must not make another one miss the
// event or get it twice.
func TestRemovalSkipsNobody(t *testing.T) {
	for leaver := range 10 {
		site := siteOf(10)
		all := site.subscriptions()
		for seq := uint64(1); seq <= 3; seq++ { // the third starts while the round of the second is under way
			if err := site.deliver(t.Context(), stream.Event{ID: stream.ID{Epoch: "a", Seq: seq}, Data: []byte("{}")}); err != nil {
				t.Fatal(err)
			}
			site.sendPortion(3)
			if seq == 2 {
				all[leaver].Close(Gone)
			}
		}
		for site.sendPortion(3) {
		}
		for i, s := range all {
			if i == leaver {
				continue
			}
			if b, err := s.Next(); err != nil || b.Frames != 3 {
				t.Errorf("when %d leaves, %d gets %d of 3 events, %v", leaver, i, b.Frames, err)
			}
		}
	}
}

// BenchmarkBroadcast hands one event to 10,000 channels and takes it out again; ns/op over 10,000
// is a delivery without its write.
func BenchmarkBroadcast(b *testing.B) {
	site := siteOf(10_000)
	all := site.subscriptions()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		site.publish(b, uint64(i+1))
		for _, s := range all {
			s.Next()
		}
	}
}

// ownerOfBenchmark is an owner that calls Poll, or with each starts a goroutine that does.
type ownerOfBenchmark struct {
	sub  *Subscription
	each bool
	got  *sync.WaitGroup
}

func (o *ownerOfBenchmark) Wake(bool) {
	if o.each {
		go o.poll()
		return
	}
	o.poll()
}

func (o *ownerOfBenchmark) poll() {
	for {
		b, err := o.sub.Poll(false)
		o.got.Add(-b.Frames)
		if err != nil || b.Frames == 0 {
			return
		}
	}
}

// BenchmarkWake compares three ways to hand an event to 1,000 idle subscribers that write nothing: to wake their owners in portions, which the
// service does; to start a goroutine for each of them; to keep a goroutine for each, which waits in Next.
func BenchmarkWake(b *testing.B) {
	const n = 1000
	for _, way := range []string{"in portions", "goroutine for each", "waiting goroutines"} {
		b.Run(way, func(b *testing.B) {
			site, got := siteOf(n), &sync.WaitGroup{}
			all := site.subscriptions()
			for _, s := range all {
				if way == "waiting goroutines" {
					go func() {
						for {
							batch, err := s.Next()
							if err != nil {
								return
							}
							got.Add(-batch.Frames)
						}
					}()
					continue
				}
				owner := &ownerOfBenchmark{s, way == "goroutine for each", got}
				s.WakeBy(owner)
				owner.poll()
			}
			seq := uint64(0)
			for b.Loop() {
				seq++
				got.Add(n)
				site.publish(b, seq)
				got.Wait()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/delivery")
			for _, s := range all {
				s.End(Gone)
			}
		})
	}
}
