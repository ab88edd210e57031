package stream

import (
	"context"
	"time"
)

// beats is how many parts a heartbeat's period has. Each subscription belongs to one of them, so
// that thousands are not woken in the same moment.
const beats = 16

// heartbeat goes through the channels like any frame; its sequence 0 moves no position.
var heartbeat = &Frame{bytes: []byte(Heartbeat)}

// Beat sends every subscription a heartbeat once in every period, until ctx ends. One with events
// waiting needs none.
func (r *Registry) Beat(ctx context.Context, period time.Duration) error {
	tick := time.NewTicker(max(period/beats, time.Millisecond))
	defer tick.Stop()
	for slot := uint8(0); ; slot = (slot + 1) % beats {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		for _, t := range r.allSites() {
			t.beat(slot)
		}
	}
}

func (t *site) beat(slot uint8) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.live {
		if s.slot == slot && len(s.ch) == 0 {
			s.ch <- heartbeat // room for one at least: only the holder of t.mu sends
		}
	}
}
