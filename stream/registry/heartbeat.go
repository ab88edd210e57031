package registry

import (
	"context"
	"time"

	"proofstream/stream"
)

// phases is how many ticks a heartbeat's period has. Each subscription has one of them, so
// that thousands are not woken in the same moment.
const phases = 16

// heartbeat goes through the channels like any frame; its sequence 0 moves no cursor.
var heartbeat = stream.HeartbeatFrame()

// Heartbeat sends every subscription a heartbeat once in every period, at least 16 ms, until ctx ends. One with
// events waiting needs none.
func (r *Registry) Heartbeat(ctx context.Context, period time.Duration) error {
	tick := time.NewTicker(max(period/phases, time.Millisecond))
	defer tick.Stop()
	for phase := uint8(0); ; phase = (phase + 1) % phases {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		for _, t := range r.allSites() {
			t.beat(phase)
		}
	}
}

func (t *site) beat(phase uint8) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, live := range t.lists[:lagging] {
		for _, s := range live {
			if s.phase == phase && len(s.ch) == 0 {
				s.ch <- heartbeat // room for one at least: only the holder of t.mu sends
			}
		}
	}
}
