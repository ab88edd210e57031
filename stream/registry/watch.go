package registry

import (
	"context"
	"time"

	"proofstream/stream"
)

// watchEvery is the time between two questions to the log of how far it reaches. A reader that is stuck
// learns nothing from what it reads, so the log itself is asked.
const watchEvery = time.Second

// watch asks the log once a second for the bounds of each site that has subscribers, and lets go of those
// that nobody uses, until ctx ends.
func (r *Registry) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
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

func (t *site) inUse() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state == following && t.users > 0
}

func (t *site) watch(ctx context.Context) {
	ask, cancel := context.WithTimeout(ctx, watchEvery)
	defer cancel()
	b, err := t.reg.log.Bounds(ask, t.name)
	if err == nil && t.note(b) {
		t.endAll()
	}
}

// note takes over bounds. It returns whether everything that was not handed out a second ago has expired: then
// nothing more comes from the log, and the subscriptions have missed it.
func (t *site) note(b stream.Bounds) (expired bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.learn(b)
	if expired = b.Low > b.High && t.high < b.High && t.missed == b.High; expired {
		t.buffer.reset(b.High)
		t.high = b.High
		t.signal()
	}
	t.behind = 0
	if t.missed > t.high {
		t.behind = t.missed - t.high
	}
	t.missed = b.High
	return expired
}

// unsent returns how many sequences are known to be in the log that were not handed out. Callers hold t.mu.
func (t *site) unsent() uint64 { return max(t.newest(), t.missed) - t.high }

// Behind says whether something that a log has had for a second or longer has not been handed out.
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
	return t.state == following && t.behind > 0 && t.high < t.missed
}

// lag returns how many sequences are known to be in the logs that were not handed out.
func (r *Registry) lag() (n uint64) {
	for _, t := range r.allSites() {
		t.mu.Lock()
		if t.state == following {
			n += t.unsent()
		}
		t.mu.Unlock()
	}
	return n
}
