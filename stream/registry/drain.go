package registry

import (
	"context"
	"time"
)

const (
	// drainAtOnce is how many streams end together at most. More are ended in equal portions over the whole time.
	drainAtOnce = 64
	// drainInterval is the least time between two portions.
	drainInterval = 10 * time.Millisecond
)

// Refuse makes Join return ErrDraining from now on.
func (r *Registry) Refuse() { r.draining.Store(true) }

// Drain does what Refuse does, and ends every subscription with Drained, after what is in its channel: up to 64 at once, more spread evenly
// over the given time. It returns when it has ended the last one, or with the context's error.
func (r *Registry) Drain(ctx context.Context, over time.Duration) error {
	r.Refuse()
	all := r.subscriptions()
	portion := len(all)/int(max(1, over/drainInterval)) + 1
	if len(all) <= drainAtOnce {
		portion = drainAtOnce
	}
	portions := (len(all) + portion - 1) / portion
	tick := time.NewTicker(max(1, over/time.Duration(max(1, portions))))
	defer tick.Stop()
	for len(all) > 0 {
		n := min(portion, len(all))
		for _, s := range all[:n] {
			s.End(Drained)
		}
		if all = all[n:]; len(all) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
