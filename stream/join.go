package stream

import (
	"context"
	"errors"
	"slices"
)

// Why the registry takes no further subscription.
var (
	ErrFull     = errors.New("as many subscribers as allowed")
	ErrDraining = errors.New("the service is going down")
)

// Request is what a subscriber asks for.
type Request struct {
	Site string
	// Position is the last id that the subscriber saw, as it came; empty for none.
	Position string
	// Recent is how many of the newest events a subscriber without a usable position gets first.
	Recent int
}

// Welcome is the beginning of a subscription. Position is the subscriber's own: never ahead of
// what it has been sent.
type Welcome struct {
	Replay   Replay
	Reason   Reason // with Gap
	Position ID
}

// Join opens a subscription: what was missed and all that is new comes from its Next, in order,
// each once. The error is ErrFull, ErrDraining, or the log's.
func (r *Registry) Join(ctx context.Context, q Request) (*Subscription, Welcome, error) {
	if r.draining.Load() {
		return nil, Welcome{}, ErrDraining
	}
	if r.open.Add(1) > int64(r.o.MaxSubscribers) {
		r.left(Full)
		return nil, Welcome{}, ErrFull
	}
	r.awaitOwn()
	seq, start, err := r.locate(ctx, q.Position)
	if err != nil {
		r.open.Add(-1)
		return nil, Welcome{}, err
	}
	s := &Subscription{
		ch:   make(chan *Frame, r.o.Buffer),
		slot: uint8(r.slot.Add(1) % beats),
	}
	start, ok := r.site(q.Site).begin(s, seq, start, q.Recent)
	if !ok {
		r.open.Add(-1)
		return nil, Welcome{}, ErrDraining
	}
	r.counters.resumed(start)
	return s, start, nil
}

// locate judges the position that a subscriber gave. It asks the log only about one that this
// registry has not reached: another node may have given it.
func (r *Registry) locate(ctx context.Context, position string) (uint64, Welcome, error) {
	if position == "" {
		return 0, Welcome{Replay: Fresh}, nil
	}
	id, err := ParseID(position)
	if err != nil {
		return 0, Welcome{Replay: Gap, Reason: Malformed}, nil
	}
	chain := r.log.Chain()
	reason := chain.Locate(id, r.head.Load())
	if reason == Ahead {
		state, err := r.log.State(ctx)
		if err != nil {
			return 0, Welcome{}, err
		}
		reason = chain.Locate(id, max(state.Last, r.head.Load()))
	}
	switch {
	case reason == Foreign && chain.Seen(id):
		return id.Seq, Welcome{Replay: Gap, Reason: reason}, nil
	case reason != "":
		return 0, Welcome{Replay: Gap, Reason: reason}, nil
	}
	return id.Seq, Welcome{Replay: Complete, Position: id}, nil
}

// begin enters a subscription that has everything up to seq, in so far as its welcome says so, and
// completes the welcome. It returns false when the registry is draining.
func (t *site) begin(s *Subscription, seq uint64, w Welcome, recent int) (Welcome, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reg.draining.Load() {
		return w, false
	}
	t.expire(t.reg.now())
	chain := t.reg.log.Chain()
	switch {
	case w.Replay == Complete && seq < t.floor:
		w = Welcome{Replay: Gap, Reason: Expired}
		fallthrough
	case w.Reason == Foreign: // seq is 0, but for who has seen what is left up to there
		s.pos, s.gapTo, s.toldGap = t.beforeKept(seq), t.floor, true
		w.Position = chain.Position(s.pos)
		t.enter(s, true)
	case w.Replay == Complete:
		s.pos = seq
		t.enter(s, true)
	default: // fresh, ahead, malformed
		s.pos = t.position()
		s.backlog = t.recent(recent)
		w.Position = chain.Position(s.pos)
		if len(s.backlog) > 0 {
			w.Position = chain.Position(s.backlog[0].Seq() - 1)
		}
		t.enter(s, false)
	}
	return w, true
}

// beforeKept returns the position just before the oldest event kept after seq, or the newest when
// none is. Callers hold t.mu.
func (t *site) beforeKept(seq uint64) uint64 {
	before := t.position()
	for kind := range t.kept {
		if rest := t.kept[kind].after(seq); len(rest) > 0 {
			before = min(before, rest[0].seq-1)
		}
	}
	return before
}

// recent returns the newest n signups that are kept, oldest first. Callers hold t.mu.
func (t *site) recent(n int) []*Frame {
	oldest, _ := t.kept[Announce].first()
	frames := slices.Clone(t.newest[max(0, len(t.newest)-n):])
	return slices.DeleteFunc(frames, func(f *Frame) bool { return f.Seq() < oldest || t.kept[Announce].len() == 0 })
}

// Recent returns the newest n signups of a site, oldest first, and the position after them.
func (r *Registry) Recent(name string, n int) ([]*Frame, ID) {
	r.awaitOwn()
	t := r.site(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(r.now())
	return t.recent(n), r.log.Chain().Position(t.position())
}
