package stream

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// lookEvery is the time between two questions to the log of how far it reaches.
const lookEvery = time.Second

// reach is how far the log was found to reach. A reader that is stuck learns nothing from what it
// reads, so the log itself is asked.
type reach struct {
	now    atomic.Uint64 // newest sequence to hand out, when last asked
	before atomic.Uint64 // the same, when asked the time before
}

// watch asks the log once in a while how far it reaches, until ctx ends.
func (r *Registry) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := r.head.Load() + r.pending.Load() // at least
		ask, cancel := context.WithTimeout(ctx, lookEvery)
		state, err := r.log.State(ask)
		cancel()
		if err == nil && state.Events > 0 { // else all that there was has expired
			now = max(now, state.Last)
		}
		r.reach.before.Store(r.reach.now.Load())
		r.reach.now.Store(now)
	}
}

// Behind tells whether something that the log has had for a second or longer has not been handed out.
func (r *Registry) Behind() bool {
	return r.head.Load() < min(r.reach.before.Load(), r.reach.now.Load())
}

// lag returns how many events are known to be in the log that have not been handed out. Where the
// reader does not know it is counted in sequences, a few of which may no longer be there.
func (r *Registry) lag() uint64 {
	head, now := r.head.Load(), r.reach.now.Load()
	return max(r.pending.Load(), max(now, head)-head)
}

// ask returns the log's state, and waits for that while the log is unavailable.
func (r *Registry) ask(ctx context.Context) (State, error) {
	for {
		state, err := r.log.State(ctx)
		if !errors.Is(err, ErrUnavailable) {
			return state, err
		}
		select {
		case <-ctx.Done():
			return State{}, ctx.Err()
		case <-time.After(lookEvery / 4):
		}
	}
}

// expect notes that an event was stored through this process: it will come from the log at once.
func (r *Registry) expect(seq uint64) {
	for {
		newest := r.stored.Load()
		if seq <= newest || r.stored.CompareAndSwap(newest, seq) {
			return
		}
	}
}

// How long to wait for what was stored through this process, and how often to look.
const (
	ownPatience = 250 * time.Millisecond
	ownPause    = 500 * time.Microsecond
)

// awaitOwn waits, for a moment at most, until everything stored through this process before has been
// handed out: who has posted and then asks is to find it.
func (r *Registry) awaitOwn() {
	seq := r.stored.Load()
	for begun := time.Now(); r.head.Load() < seq && time.Since(begun) < ownPatience; {
		time.Sleep(ownPause)
	}
}
