package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"proofstream/stream"
)

// loadRetryDelay is the delay before a site's follower reads a log again that was unavailable.
const loadRetryDelay = 250 * time.Millisecond

// follow loads the site and delivers its events until it has had no user for keepUnused. The error is that of a log which cannot go on.
func (t *site) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		followCtx, stop := context.WithCancel(ctx)
		t.mu.Lock()
		t.stop, t.unused = stop, time.Now()
		t.mu.Unlock()
		err := t.loadAndFollow(followCtx)
		stop()
		if err != nil {
			return err
		}
		if t.forget() {
			return nil
		}
	}
	return nil
}

// loadAndFollow loads the site and delivers its events until ctx ends or damage is found in the log.
func (t *site) loadAndFollow(ctx context.Context) error {
	if retry(ctx, func() error { return t.load(ctx) }) != nil {
		return nil
	}
	t.mu.Lock()
	after := t.high
	t.mu.Unlock()
	for ev, err := range t.reg.log.Follow(ctx, t.name, after) {
		switch {
		case errors.Is(err, stream.ErrUnavailable):
			t.endWithOverrun() // a missing event may not have been erased
			return nil
		case err != nil:
			return fmt.Errorf("follow site %s: %w", t.name, err)
		}
		if t.deliver(ctx, ev) != nil {
			return nil // ctx has ended
		}
	}
	return nil
}

// deliver adds one event to the replay buffer and schedules its fan-out. The error is the context's.
func (t *site) deliver(ctx context.Context, ev stream.Event) error {
	t.mu.Lock()
	jump := ev.ID.Seq > t.high+1
	t.mu.Unlock()
	if jump {
		if err := t.checkJump(ctx, ev.ID.Seq); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if ev.ID.Seq <= t.high { // watch has found that it expired
		return nil
	}
	t.keep(ev)
	t.high = ev.ID.Seq
	t.trim()
	t.schedule()
	t.signal()
	return nil
}

// checkJump finds out why sequences are missing before seq. Erased ones are no loss. If retention has removed them before they were
// delivered, it ends the site's streams, which get a gap when they reconnect.
func (t *site) checkJump(ctx context.Context, seq uint64) error {
	var b stream.Bounds
	err := retry(ctx, func() (err error) {
		b, err = t.reg.log.Bounds(ctx, t.name)
		return err
	})
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.setBounds(b)
	overrun := b.Low > t.high+1
	if overrun {
		t.buffer.reset(seq - 1)
		t.high = seq - 1
	}
	t.mu.Unlock()
	if overrun {
		t.endWithOverrun()
	}
	return nil
}

// endWithOverrun ends every subscription of the site. Each gets a gap when it reconnects.
func (t *site) endWithOverrun() {
	t.reg.counters.overruns.Add(1)
	for _, s := range t.subscriptions() {
		s.End(Overrun)
	}
}

// retry calls read until it succeeds, with a delay after each failure. The error is the context's.
func retry(ctx context.Context, read func() error) error {
	for read() != nil {
		select {
		case <-time.After(loadRetryDelay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
