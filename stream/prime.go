package stream

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// primeLook is how long the first reading of the log goes on before the log's state is asked for
// again: what was to be read may have expired meanwhile.
const primeLook = 5 * time.Second

// prime reads what the log holds.
func (r *Registry) prime(ctx context.Context) error {
	for past := (survey{}); !past.done; {
		state, err := r.ask(ctx)
		if err != nil {
			return fmt.Errorf("read the log's state: %w", err)
		}
		if state.Events == 0 {
			r.finish(&past, state)
		} else if err := r.readUp(ctx, &past, state); err != nil {
			return err
		}
	}
	return nil
}

// readUp reads the log up to a state, or for a while.
func (r *Registry) readUp(ctx context.Context, past *survey, state State) error {
	reading, stop := context.WithTimeout(ctx, primeLook)
	defer stop()
	for ev, err := range r.log.Follow(reading, past.prev) {
		if err != nil {
			return fmt.Errorf("follow the log: %w", err)
		}
		past.see(ev)
		r.deliver(ev)
		if ev.Seq >= state.Last || ev.Pending == 0 && !r.holds(ctx, state.Last) {
			r.finish(past, state)
			return nil
		}
	}
	return ctx.Err()
}

// holds tells whether an event is kept: one that the log knows, but the server that is read from
// may not have yet.
func (r *Registry) holds(ctx context.Context, seq uint64) bool {
	_, err := r.log.Get(ctx, seq)
	return !errors.Is(err, ErrNotFound)
}

// survey notes, while the log is read for the first time, which sequences are missing from it.
// What the retention removed before this process began can be told only from such holes: one
// below a site's oldest event may have been an event of that site. The guess errs to the safe
// side: a very old position may be told a gap where there was none, never the reverse.
type survey struct {
	done   bool
	prev   uint64
	holes  []hole
	erased map[uint64]bool
}

// hole is a run of missing sequences, both ends included.
type hole struct{ from, to uint64 }

func (v *survey) see(ev Event) {
	if ev.Seq > v.prev+1 {
		v.holes = append(v.holes, hole{v.prev + 1, ev.Seq - 1})
	}
	v.prev = ev.Seq
	if ev.Kind != Retract {
		return
	}
	if id, err := RetractedID(ev.Data); err == nil {
		if v.erased == nil {
			v.erased = make(map[uint64]bool)
		}
		v.erased[id.Seq] = true
	}
}

// removedBelow returns the newest sequence below seq that the retention may have removed, 0 if none.
func (v *survey) removedBelow(seq uint64) uint64 {
	for i := len(v.holes) - 1; i >= 0; i-- {
		h := v.holes[i]
		if h.from >= seq {
			continue
		}
		for n := min(h.to, seq-1); n >= h.from; n-- {
			if !v.erased[n] {
				return n
			}
		}
	}
	return 0
}

// finish ends the first reading: it sets each site's floor, and the registry's for sites of which
// nothing is kept.
func (r *Registry) finish(v *survey, state State) {
	v.done = true
	r.head.Store(max(r.head.Load(), state.Last))
	if state.Last > v.prev {
		v.holes = append(v.holes, hole{v.prev + 1, state.Last})
	}
	oldest := state.Last + 1
	if len(v.holes) > 0 && v.holes[0].from == 1 {
		oldest = v.holes[0].to + 1
	} else if v.prev > 0 {
		oldest = 1
	}
	r.mu.Lock()
	r.base = v.removedBelow(oldest)
	r.mu.Unlock()
	for _, t := range r.allSites() {
		t.mu.Lock()
		t.floor = max(t.floor, r.base, t.removedBefore(v))
		t.mu.Unlock()
	}
	v.holes, v.erased = nil, nil
}

// removedBefore returns the newest sequence that the retention may have removed from this site
// before the process began. Callers hold t.mu.
func (t *site) removedBefore(v *survey) (newest uint64) {
	if seq, ok := t.kept[Announce].first(); ok {
		newest = v.removedBelow(seq)
	}
	if seq, ok := t.kept[Retract].first(); ok {
		newest = max(newest, v.removedBelow(seq))
	}
	return newest
}
