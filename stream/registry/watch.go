package registry

import (
	"context"
	"time"

	"proofstream/stream"
)

// watchInterval is the time between two reads of the bounds of each site. A follower that hangs does not show how far the log has come.
const watchInterval = time.Second

// watch reads the bounds of each site in use once a second, and ends the followers of unused sites, until ctx ends.
func (r *Registry) watch(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, t := range r.allSites() {
			if t.inUse() {
				t.watch(ctx)
			}
			t.stopUnused()
		}
	}
}

// inUse reports whether the site is followed and has a user.
func (t *site) inUse() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state == following && t.users > 0
}

// watch reads the bounds of the site, and ends its subscriptions when they have missed something.
func (t *site) watch(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, watchInterval)
	defer cancel()
	b, err := t.reg.log.Bounds(ctx, t.name)
	if err == nil && t.applyBounds(b) {
		t.endWithOverrun()
	}
}

// applyBounds takes over bounds. It returns whether everything that was undelivered a second ago has expired. Then the log has no event that
// would reveal the loss, and the subscriptions need a gap.
func (t *site) applyBounds(b stream.Bounds) (expired bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.setBounds(b)
	if expired = b.Low > b.High && t.high < b.High && t.highAtLastWatch == b.High; expired {
		t.buffer.reset(b.High)
		t.high = b.High
		t.signal()
	}
	t.behind = 0
	if t.highAtLastWatch > t.high {
		t.behind = t.highAtLastWatch - t.high
	}
	t.highAtLastWatch = b.High
	return expired
}

// undelivered returns how many sequences are known to be in the log that were not delivered. Callers hold t.mu.
func (t *site) undelivered() uint64 { return max(t.newest(), t.highAtLastWatch) - t.high }

// Behind reports whether something that a log has had for a second or longer was not delivered.
func (r *Registry) Behind() bool {
	for _, t := range r.allSites() {
		if t.isBehind() {
			return true
		}
	}
	return false
}

func (t *site) isBehind() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state == following && t.behind > 0 && t.high < t.highAtLastWatch
}

// lag returns how many sequences are known to be in the logs of all sites that were not delivered.
func (r *Registry) lag() (n uint64) {
	for _, t := range r.allSites() {
		t.mu.Lock()
		if t.state == following {
			n += t.undelivered()
		}
		t.mu.Unlock()
	}
	return n
}
