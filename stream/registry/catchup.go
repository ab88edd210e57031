package registry

import (
	"context"
	"errors"
	"time"

	"proofstream/stream"
)

const (
	// readTimeout bounds one read of the log by a subscription, the wait for its turn included.
	readTimeout = 8 * time.Second
	// readRetry is how long a subscription waits before it reads a log again that was unavailable.
	readRetry = 500 * time.Millisecond
)

// errNotInMemory: some frames that a subscription needs have left the replay buffer.
var errNotInMemory = errors.New("frames are no longer in memory")

// catchUp brings a lagging subscription closer: its channel is filled from memory, and it may be live again;
// or a page of the log is in its backlog. While the log is unavailable it returns a heartbeat, so that the stream
// stays alive. The error is why the subscription has ended.
func (s *Subscription) catchUp() (Batch, error) {
	if err := s.site.admit(s); !errors.Is(err, errNotInMemory) {
		return Batch{}, err
	}
	ctx, done, err := s.untilEnd(context.Background())
	if err != nil {
		return Batch{}, err
	}
	defer done()
	page, b, err := s.site.page(ctx, s.pos)
	if err != nil {
		sleep(ctx, readRetry)
		return Batch{Bytes: heartbeat.Bytes(), Frames: 1}, nil
	}
	if b.Low > s.pos+1 || s.site.damagedSinceLoad(b) {
		s.End(Overrun)
		return Batch{}, Overrun
	}
	s.take(page, b.High)
	return Batch{}, nil
}

// damagedSinceLoad says whether damage was found in the log since the site was loaded: a missing event may not
// have been erased.
func (t *site) damagedSinceLoad(b stream.Bounds) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return b.Epochs.Sound() != t.sound
}

// take puts a page of the log into the backlog. A page that is not full reaches up to high.
func (s *Subscription) take(page []stream.Event, high uint64) {
	for _, ev := range page {
		s.backlog = append(s.backlog, stream.NewFrame(ev))
		s.pos = ev.ID.Seq
	}
	if len(page) < s.site.reg.o.Buffer {
		s.pos = max(s.pos, high)
	}
}

// page reads the events after seq from the log, as many as a channel holds.
func (t *site) page(ctx context.Context, seq uint64) (page []stream.Event, b stream.Bounds, err error) {
	err = t.reg.read(ctx, func() error {
		page, b, err = t.reg.log.Read(ctx, t.name, seq, t.reg.o.Buffer)
		return err
	})
	if err == nil {
		t.reg.counters.pages.Add(1)
	}
	return page, b, err
}

// admit gives a lagging subscription what it missed, as far as its channel takes it, and makes it live when that
// was all: finding the missed frames and joining is one step. The error is errNotInMemory, or why the
// subscription has ended.
func (t *site) admit(s *Subscription) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.ended != nil {
		return s.ended
	}
	if s.pos < t.buffer.from {
		return errNotInMemory
	}
	for _, f := range t.buffer.after(s.pos) {
		select {
		case s.ch <- f:
		default:
			return nil // it drains this first, then asks again
		}
	}
	t.take(s)
	t.put(s, 1-t.stale)
	s.sent = max(t.high, s.pos)
	t.trim()
	return nil
}
