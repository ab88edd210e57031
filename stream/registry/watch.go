package registry

import (
	"cmp"
	"context"
	"slices"
	"time"

	"proofstream/stream"
)

const (
	// watchInterval is the time between two watches. Each reads the bounds of sites: a follower that hangs does not show how far the log has come.
	watchInterval = time.Second
	// watchedAtOnce is how many sites a watch is for at most. On a cluster each is a request, which takes a millisecond of processor time.
	watchedAtOnce = 100
)

// watch reads the bounds of each site in use, once a second or, of many, in turn, and ends the followers of unused sites, until ctx ends.
func (r *Registry) watch(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		sites := r.allSites()
		for _, t := range inTurn(turn, sites) {
			t.watch(ctx)
		}
		for _, t := range sites {
			t.stopUnused()
		}
	}
}

// inTurn returns the sites in use whose turn it is. Each has its turn once in as many turns as all of them need.
func inTurn(turn int, sites []*site) (due []*site) {
	used := slices.DeleteFunc(slices.Clone(sites), func(t *site) bool { return !t.inUse() })
	slices.SortFunc(used, func(a, b *site) int { return cmp.Compare(a.name, b.name) })
	turns := (len(used) + watchedAtOnce - 1) / watchedAtOnce
	for i, t := range used {
		if i%turns == turn%turns {
			due = append(due, t)
		}
	}
	return due
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

// applyBounds takes over bounds. It returns whether everything that was undelivered at the last watch has expired. Then the log has no event that
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

// Behind reports whether something that a log had at the last watch of its site, a second ago or earlier, was not delivered.
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
