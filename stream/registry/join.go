package registry

import (
	"context"
	"errors"

	"proofstream/stream"
)

// Why the registry takes no further subscription.
var (
	ErrFull     = errors.New("as many subscribers as allowed")
	ErrDraining = errors.New("the service is going down")
)

// Request is what a subscriber asks for.
type Request struct {
	Site string
	// Cursor is the last id that the subscriber saw, as it came; empty for none.
	Cursor string
	// Recent is how many of the newest signups a subscriber without a usable cursor gets first, 0 to 20.
	Recent int
}

// Resume is how a subscription begins. Cursor is the subscriber's own: never ahead of what it has
// been sent.
type Resume struct {
	Replay stream.Replay
	Reason stream.Reason // with Gap
	Cursor stream.ID
}

// Join opens a subscription: what was missed and all that is new comes from its Next, in order,
// each once. The error is ErrFull, ErrDraining, the context's, or wraps stream.ErrUnavailable.
func (r *Registry) Join(ctx context.Context, q Request) (*Subscription, Resume, error) {
	if r.draining.Load() {
		return nil, Resume{}, ErrDraining
	}
	if r.open.Add(1) > int64(r.o.MaxSubscribers) {
		r.left(Full)
		return nil, Resume{}, ErrFull
	}
	t := r.site(q.Site)
	s := &Subscription{site: t, ch: make(chan *stream.Frame, r.o.Buffer), phase: uint8(r.phase.Add(1) % phases)}
	err := t.use(ctx)
	var resume Resume
	if err == nil {
		resume, err = t.locate(ctx, s, q)
	}
	if err == nil {
		err = t.admitNew(s)
	}
	if err != nil {
		t.release()
		r.open.Add(-1)
		return nil, Resume{}, err
	}
	r.counters.resumed(resume)
	return s, resume, nil
}

func (t *site) admitNew(s *Subscription) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reg.draining.Load() { // Drain has taken its list, or waits for t.mu
		return ErrDraining
	}
	t.enter(s)
	return nil
}

// locate finds where a new subscription begins: it sets its pos and backlog.
func (t *site) locate(ctx context.Context, s *Subscription, q Request) (Resume, error) {
	if q.Cursor == "" {
		return t.fresh(ctx, s, Resume{Replay: stream.Fresh}, q.Recent)
	}
	cursor, err := stream.ParseID(q.Cursor)
	if err != nil {
		return t.fresh(ctx, s, Resume{Replay: stream.Gap, Reason: stream.Malformed}, q.Recent)
	}
	if t.inMemory(cursor) {
		s.pos = cursor.Seq
		return Resume{Replay: stream.Complete, Cursor: cursor}, nil
	}
	page, b, err := t.page(ctx, cursor.Seq)
	if err != nil {
		return Resume{}, err
	}
	reason, seen := b.Judge(cursor)
	if reason == stream.Ahead {
		return t.fresh(ctx, s, Resume{Replay: stream.Gap, Reason: stream.Ahead}, q.Recent)
	}
	if seen != cursor.Seq {
		if page, b, err = t.page(ctx, seen); err != nil {
			return Resume{}, err
		}
	}
	s.pos = seen
	s.take(page, b.High)
	if reason == "" {
		return Resume{Replay: stream.Complete, Cursor: cursor}, nil
	}
	return Resume{Replay: stream.Gap, Reason: reason, Cursor: b.Epochs.Cursor(s.before(s.pos))}, nil
}

// before returns the sequence just before the first frame of the backlog, or seq when that is empty.
func (s *Subscription) before(seq uint64) uint64 {
	if len(s.backlog) > 0 {
		return s.backlog[0].Seq() - 1
	}
	return seq
}

// inMemory says whether the cursor is one of this log's, and everything after it is in the replay buffer and
// still kept: by count, when it is one of the newest sequences, and by age. The log knows the rest.
func (t *site) inMemory(cursor stream.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := stream.Bounds{Low: t.buffer.from + 1, High: t.newest(), Epochs: t.epochs}
	if reason, _ := b.Judge(cursor); reason != "" || cursor.Seq+uint64(t.limits.Events) < t.newest() {
		return false
	}
	missed := t.buffer.after(cursor.Seq)
	return len(missed) == 0 || missed[0].Time().Add(t.limits.Age).After(t.reg.log.Now())
}

// fresh begins a subscription at the newest event, or at the newest signups that are to come first.
func (t *site) fresh(ctx context.Context, s *Subscription, resume Resume, n int) (Resume, error) {
	if n > 0 {
		latest, err := t.latest(ctx)
		if err != nil {
			return Resume{}, err
		}
		s.pos, s.backlog = latest.high, latest.newest(n)
		resume.Cursor = latest.epochs.Cursor(s.before(s.pos))
		return resume, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.pos = t.newest()
	resume.Cursor = t.epochs.Cursor(s.pos)
	return resume, nil
}
