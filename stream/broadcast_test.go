package stream

import (
	"testing"
	"time"
)

// crowd returns a site with n live subscriptions.
func crowd(n int) *site {
	r := NewRegistry(nil, Options{MaxSubscribers: n})
	t := r.site("default")
	for range n {
		s := &Subscription{ch: make(chan *Frame, r.o.Buffer)}
		r.open.Add(1)
		t.mu.Lock()
		t.enter(s, false)
		t.mu.Unlock()
	}
	return t
}

func frame(seq uint64) *Frame {
	return NewFrame(ID{Epoch: "k3v9", Seq: seq}, Announce, time.Now(), []byte(`{"img_path":"default","offer_name":"Spring Sale","user_name":"Ada","at":"2026-11-21T20:02:14.501Z"}`))
}

// Each event is encoded once: what a delivery costs in memory must not grow with the subscribers.
func TestDeliveryAllocatesNothingPerSubscriber(t *testing.T) {
	perEvent := func(n int) float64 {
		site, seq := crowd(n), uint64(0)
		return testing.AllocsPerRun(200, func() {
			seq++
			site.publish(frame(seq), time.Now())
			for site.feed(feedPortion) {
			}
			for _, s := range site.live {
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

func BenchmarkEncode(b *testing.B) {
	b.ReportAllocs()
	for i := range b.N {
		frame(uint64(i))
	}
}

// BenchmarkBroadcast hands one event to 10,000 channels and takes it out again; ns/op over 10,000
// is a delivery but for its write.
func BenchmarkBroadcast(b *testing.B) {
	site := crowd(10_000)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		site.publish(frame(uint64(i+1)), time.Now())
		for site.feed(feedPortion) {
		}
		for _, s := range site.live {
			s.Next()
		}
	}
}
