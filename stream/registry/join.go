package registry

import (
	"context"
	"errors"
	"unique"

	"proofstream/stream"
)

var (
	// ErrFull says that as many subscriptions are open as Options.MaxSubscribers allows.
	ErrFull = errors.New("as many subscribers as allowed")
	// ErrDraining says that Refuse or Drain was called.
	ErrDraining = errors.New("the service is going down")
)

// Request is what a subscriber asks for.
type Request struct {
	// Site is the name of a site that exists.
	Site string
	// Cursor is the last id that the subscriber has seen, as the client sent it; empty for none.
	Cursor string
	// Recent is how many of the newest signups a subscriber without a usable cursor gets first, at most MostRecent. Below 1 it gets none.
	Recent int
	// Origin is that of the subscriber's page, for EndRefused, which passes over subscriptions without one.
	Origin unique.Handle[string]
}

// Resume is the resume result of a subscription.
type Resume struct {
	Replay stream.Replay
	Reason stream.Reason // empty unless Replay is stream.Gap
	Cursor stream.ID     // of the subscriber, never ahead of what it has been sent
}

// Join opens a subscription. Its Next returns the events after the cursor and then all new ones, in order, each once. It waits for Run to
// load the site. The error is ErrFull, ErrDraining, the context's, or wraps stream.ErrUnavailable.
func (r *Registry) Join(ctx context.Context, q Request) (*Subscription, Resume, error) {
	if r.draining.Load() {
		return nil, Resume{}, ErrDraining
	}
	if r.open.Add(1) > int64(r.o.MaxSubscribers) {
		r.left(Full)
		return nil, Resume{}, ErrFull
	}
	t := r.site(q.Site)
	s := &Subscription{site: t, ch: make(chan *stream.Frame, r.o.Buffer), phase: uint8(r.phase.Add(1) % phases), origin: q.Origin}
	err := t.use(ctx)
	var resume Resume
	if err == nil {
		resume, err = t.resume(ctx, s, q)
	}
	if err == nil {
		err = t.add(s)
	}
	if err != nil {
		t.release()
		r.open.Add(-1)
		return nil, Resume{}, err
	}
	r.counters.resumed(resume)
	return s, resume, nil
}

// add makes a subscription one of the site's, unless the registry is draining.
func (t *site) add(s *Subscription) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reg.draining.Load() { // Drain may have taken its list of subscriptions already
		return ErrDraining
	}
	t.enter(s)
	return nil
}

// resume sets the cursor and the backlog of a new subscription, and returns its resume result.
func (t *site) resume(ctx context.Context, s *Subscription, q Request) (Resume, error) {
	if q.Cursor == "" {
		return t.fresh(ctx, s, Resume{Replay: stream.Fresh}, q.Recent)
	}
	cursor, err := stream.ParseID(q.Cursor)
	if err != nil {
		return t.fresh(ctx, s, Resume{Replay: stream.Gap, Reason: stream.Malformed}, q.Recent)
	}
	if t.inMemory(cursor) {
		s.cursor = cursor.Seq
		return Resume{Replay: stream.Complete, Cursor: cursor}, nil
	}
	page, b, err := t.page(ctx, cursor.Seq)
	if err != nil {
		return Resume{}, err
	}
	reason, seen := b.Check(cursor)
	if reason == stream.Ahead {
		return t.fresh(ctx, s, Resume{Replay: stream.Gap, Reason: stream.Ahead}, q.Recent)
	}
	if seen != cursor.Seq {
		if page, b, err = t.page(ctx, seen); err != nil {
			return Resume{}, err
		}
	}
	s.cursor = seen
	s.addPage(page, b.High)
	if reason == "" {
		return Resume{Replay: stream.Complete, Cursor: cursor}, nil
	}
	return Resume{Replay: stream.Gap, Reason: reason, Cursor: b.Epochs.Cursor(s.before(s.cursor))}, nil
}

// before returns the sequence just before the first frame of the backlog, or seq when that is empty.
func (s *Subscription) before(seq uint64) uint64 {
	if len(s.backlog) > 0 {
		return s.backlog[0].Seq() - 1
	}
	return seq
}

// inMemory reports whether the log gave the cursor and the replay buffer has every event after it, none of which retention has removed. It may
// return false for a cursor of which the log knows that it is complete.
func (t *site) inMemory(cursor stream.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := stream.Bounds{Low: t.buffer.from + 1, High: t.newest(), Epochs: t.epochs}
	if reason, _ := b.Check(cursor); reason != "" || cursor.Seq+uint64(t.limits.Events) < t.newest() {
		return false
	}
	missed := t.buffer.after(cursor.Seq)
	return len(missed) == 0 || missed[0].Time().Add(t.limits.Age).After(t.reg.log.Now())
}

// fresh starts a subscription after the newest event, with the newest n signups in its backlog.
func (t *site) fresh(ctx context.Context, s *Subscription, resume Resume, n int) (Resume, error) {
	if n > 0 {
		latest, err := t.latest(ctx)
		if err != nil {
			return Resume{}, err
		}
		s.cursor, s.backlog = latest.high, latest.newest(n)
		resume.Cursor = latest.epochs.Cursor(s.before(s.cursor))
		return resume, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.cursor = t.newest()
	resume.Cursor = t.epochs.Cursor(s.cursor)
	return resume, nil
}
