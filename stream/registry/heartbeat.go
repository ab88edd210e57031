package registry

import (
	"context"
	"time"

	"proofstream/stream"
)

// phases is how many ticks a heartbeat's period has. Each subscription gets its heartbeat at one of them, so that not all wake at the
// same moment.
const phases = 16

// heartbeat is the frame of every heartbeat. Its sequence is 0, which moves no cursor.
var heartbeat = stream.HeartbeatFrame()

// Heartbeat sends every live subscription without waiting events a heartbeat once in each period, until ctx ends, and returns the context's
// error. A period below 16 ms counts as 16 ms.
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
			t.sendHeartbeats(phase)
		}
	}
}

// sendHeartbeats sends a heartbeat to the idle live subscriptions of a phase.
func (t *site) sendHeartbeats(phase uint8) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var woken wakeUp
	for _, live := range t.lists[:lagging] {
		for _, s := range live {
			if s.phase == phase && len(s.ch) == 0 {
				s.ch <- heartbeat // never blocks: the channel is empty, and only the holder of t.mu sends
				woken.add(s)
			}
		}
	}
	woken.start()
}
