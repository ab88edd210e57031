package natslog

import (
	"math/rand/v2"
	"testing"
	"time"

	"proofstream/stream"
)

// history is a log's events in miniature: which sequences are kept, and how it lives on.
type history struct {
	kept []uint64
	last uint64
	r    *rand.Rand
}

func (h *history) state() stream.State {
	s := stream.State{First: h.last + 1, Last: h.last, Events: uint64(len(h.kept))}
	if len(h.kept) > 0 {
		s.First = h.kept[0]
	}
	return s
}

// append gives sequences, each of which may push an older event out, as the bound per site does.
func (h *history) append(n int) {
	for range n {
		h.last++
		h.kept = append(h.kept, h.last)
		if h.r.IntN(2) == 0 {
			h.lose(1)
		}
	}
}

// expire takes the oldest events, lose any.
func (h *history) expire(n int) { h.kept = h.kept[min(n, len(h.kept)):] }

func (h *history) lose(n int) {
	for ; n > 0 && len(h.kept) > 0; n-- {
		i := h.r.IntN(len(h.kept))
		h.kept = append(h.kept[:i:i], h.kept[i+1:]...)
	}
}

// TestCompareTellsDamageFromLife would catch a log called damaged for what happens to every log
// between its last record and its end, and one whose loss is overlooked.
func TestCompareTellsDamageFromLife(t *testing.T) {
	for seed := range uint64(2000) {
		h := &history{r: rand.New(rand.NewPCG(seed, 0))}
		h.append(20 + h.r.IntN(100))
		s := h.state()
		fresh := record{First: s.First, Last: s.Last, Events: s.Events, FirstTime: time.Now(), Retention: time.Hour}
		aged := fresh
		aged.FirstTime = time.Now().Add(-2 * time.Hour)
		lives := *h
		lives.kept = append([]uint64(nil), h.kept...)
		lives.append(h.r.IntN(30))
		if wrong := fresh.compare(lives.state()); wrong != nil {
			t.Fatalf("seed %d: appends are called damage: %v", seed, wrong)
		}
		lives.expire(h.r.IntN(30))
		if wrong := aged.compare(lives.state()); wrong != nil {
			t.Fatalf("seed %d: appends and expiry are called damage: %v", seed, wrong)
		}
		h.lose(1 + h.r.IntN(5))
		if fresh.compare(h.state()) == nil {
			t.Fatalf("seed %d: a loss from %+v to %+v is overlooked", seed, fresh, h.state())
		}
		if cut := (stream.State{First: s.First, Last: s.Last - 1, Events: s.Events - 1}); fresh.compare(cut) == nil || aged.compare(cut) == nil {
			t.Fatalf("seed %d: a shorter log is overlooked", seed)
		}
	}
}
