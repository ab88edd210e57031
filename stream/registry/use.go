package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"proofstream/stream"
)

// followState says whether a site is followed.
type followState uint8

const (
	// unfollowed is a site without a follower. Nothing of it is in memory.
	unfollowed followState = iota
	// loading is a site whose follower reads the newest events.
	loading
	// following is a site whose follower delivers new events.
	following
)

// keepUnused is how long a site without users is followed, for subscribers that reconnect.
const keepUnused = time.Minute

// use counts a user of the site and waits until it is followed. The caller must call release, also after an error, which is the
// context's or wraps stream.ErrUnavailable.
func (t *site) use(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.users++
	for t.state != following {
		var change <-chan struct{}
		switch {
		case t.failure != nil:
			return fmt.Errorf("load site %s: %w", t.name, errors.Join(t.failure, stream.ErrUnavailable))
		case t.state == loading:
			change = t.change()
		default:
			t.state = loading
		}
		t.mu.Unlock()
		err := t.waitFollowed(ctx, change)
		t.mu.Lock()
		if err != nil {
			if change == nil { // this caller had to start the follower
				t.state = unfollowed
				t.signal()
			}
			return err
		}
	}
	return nil
}

// waitFollowed waits for a change of the site. Without a channel, it makes Run start a follower of the site.
func (t *site) waitFollowed(ctx context.Context, change <-chan struct{}) error {
	start := t.reg.start
	if change != nil {
		start = nil
	}
	select {
	case start <- t:
		return nil
	case <-change:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// endUse counts a user less. Callers hold t.mu.
func (t *site) endUse() {
	if t.users--; t.users == 0 {
		t.unused = time.Now()
	}
}

// release ends what use began.
func (t *site) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endUse()
}

// stopUnused ends the follower of a site that had no user for longer than keepUnused.
func (t *site) stopUnused() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.users == 0 && t.stop != nil && time.Since(t.unused) > keepUnused {
		t.stop()
	}
}

// forget removes the events of a site that is no longer followed from memory. It returns false when the site has a user again.
func (t *site) forget() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop = nil
	t.state = loading
	t.signal()
	if t.users > 0 {
		return false
	}
	t.state = unfollowed
	t.buffer.reset(0)
	t.recent, t.erased = recent{}, nil
	t.lists = [3]list{}
	return true
}
