package registry

import (
	"context"
	"errors"
	"time"

	"proofstream/stream"
)

const (
	// readTimeout bounds one read of the log by a subscription, including the wait for its turn.
	readTimeout = 8 * time.Second
	// readRetryDelay is the delay before a subscription reads a log again that was unavailable.
	readRetryDelay = 500 * time.Millisecond
)

// errNotInMemory: some frames that a subscription needs have left the replay buffer.
var errNotInMemory = errors.New("frames are no longer in memory")

// catchUp fills the channel of a lagging subscription from memory, and makes it live when that was all; or else it puts a page of the log
// into its backlog. While the log is unavailable it returns a heartbeat, so that the stream stays alive. The error is the CloseReason of
// a subscription that has ended.
func (s *Subscription) catchUp() (Batch, error) {
	if err := s.site.admit(s); !errors.Is(err, errNotInMemory) {
		return Batch{}, err
	}
	ctx, done, err := s.untilEnd(context.Background())
	if err != nil {
		return Batch{}, err
	}
	defer done()
	page, b, err := s.site.page(ctx, s.cursor)
	if err != nil {
		select {
		case <-time.After(readRetryDelay):
		case <-ctx.Done(): // the subscription has ended
		}
		return Batch{Bytes: heartbeat.Bytes(), Frames: 1}, nil
	}
	if b.Low > s.cursor+1 || s.site.damagedSinceLoad(b) {
		s.End(Overrun)
		return Batch{}, Overrun
	}
	s.addPage(page, b.High)
	return Batch{}, nil
}

// damagedSinceLoad reports whether damage was found in the log since the site was loaded. Then a missing event may not have been erased.
func (t *site) damagedSinceLoad(b stream.Bounds) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return b.Epochs.Sound() != t.sound
}

// addPage puts a page of the log into the backlog. A page that is not full has all events up to high.
func (s *Subscription) addPage(page []stream.Event, high uint64) {
	for _, ev := range page {
		s.backlog = append(s.backlog, stream.NewFrame(ev))
		s.cursor = ev.ID.Seq
	}
	if len(page) < s.site.reg.o.Buffer {
		s.cursor = max(s.cursor, high)
	}
}

// page reads the events after seq from the log, at most Options.Buffer.
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

// admit puts the frames after a lagging subscription's cursor into its channel until that is full, and makes the subscription live when
// none is left. Both are one step under t.mu, so that no frame comes between. The error is errNotInMemory, or the CloseReason of a
// subscription that has ended.
func (t *site) admit(s *Subscription) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.ended != nil {
		return s.ended
	}
	if s.cursor < t.buffer.from {
		return errNotInMemory
	}
	for _, f := range t.buffer.after(s.cursor) {
		select {
		case s.ch <- f:
		default:
			return nil // Next empties the channel, then catches up further
		}
	}
	t.take(s)
	t.put(s, 1-t.stale)
	s.sent = max(t.high, s.cursor)
	t.trim()
	return nil
}
