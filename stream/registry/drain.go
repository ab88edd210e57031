package registry

import (
	"context"
	"time"
)

// Staggering of a drain: up to drainAtOnce streams end together, more in equal portions over the
// whole of the time, of which none is shorter than drainPause.
const (
	drainAtOnce = 64
	drainPause  = 10 * time.Millisecond
)

// Refuse lets nobody new in from now on: Join returns ErrDraining.
func (r *Registry) Refuse() { r.draining.Store(true) }

// Drain refuses newcomers and ends every subscription, after what waits in its channel: few at
// once, many spread evenly over the given time. It returns when the last one was told, or with the
// context's error.
func (r *Registry) Drain(ctx context.Context, over time.Duration) error {
	r.Refuse()
	all := r.subscriptions()
	portion := len(all)/int(max(1, over/drainPause)) + 1
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
