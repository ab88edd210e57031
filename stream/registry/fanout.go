package registry

import (
	"context"
	"runtime"
	"sync"
)

// portion is how many subscriptions are woken before posts and other sites have their turn. If all were woken at once, every post would
// wait for a write to each subscriber. With portions, posts go on, and a subscriber that is woken later writes several events at once.
const portion = 64

// runQueue holds the sites that have stale subscriptions.
type runQueue struct {
	wake chan struct{} // holds one token while sites is not empty

	mu    sync.Mutex // guards sites
	sites []*site    // in turn
}

func (q *runQueue) add(t *site) {
	q.mu.Lock()
	q.sites = append(q.sites, t)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next removes and returns the first site; nil when there is none.
func (q *runQueue) next() *site {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.sites) == 0 {
		q.sites = nil
		return nil
	}
	t := q.sites[0]
	q.sites = q.sites[1:]
	return t
}

// fanOut is the dispatcher. Until ctx ends it sends what was delivered to the live subscriptions, a portion of each site in turn.
func (r *Registry) fanOut(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.queue.wake:
		}
		for t := r.queue.next(); t != nil && ctx.Err() == nil; t = r.queue.next() {
			if t.sendPortion(portion) {
				r.queue.add(t)
			}
			runtime.Gosched()
		}
	}
}

// schedule starts a round unless one is under way. Callers hold t.mu.
func (t *site) schedule() {
	if !t.queued && t.beginRound() {
		t.queued = true
		t.reg.queue.add(t)
	}
}

// beginRound makes every live subscription stale. It returns false when there is none. Callers hold t.mu; no
// subscription is stale.
func (t *site) beginRound() bool {
	t.stale, t.round = 1-t.stale, t.high
	return len(t.lists[t.stale]) > 0
}

// sendPortion sends at most portion stale subscriptions everything that they were not sent yet. It returns whether stale ones are left.
func (t *site) sendPortion(portion int) (more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var woken wakeUp
	at, sent := -1, uint64(0) // most have the same sent: search the buffer once for all of them
	for ; portion > 0 && len(t.lists[t.stale]) > 0; portion-- {
		stale := t.lists[t.stale]
		s := stale[len(stale)-1]
		if at < 0 || s.sent != sent {
			at, sent = t.buffer.index(s.sent), s.sent
		}
		t.take(s)
		if t.send(s, at) {
			t.put(s, 1-t.stale)
		} else {
			t.lag(s)
		}
		woken.add(s)
	}
	woken.start()
	t.queued = len(t.lists[t.stale]) > 0 || t.high > t.round && t.beginRound()
	if !t.queued {
		t.trim()
	}
	return t.queued
}

// send puts the frames of the buffer from an index on into a subscription's channel. It returns false when the channel is full, or when
// frames that the subscription needs are no longer in memory. Callers hold t.mu.
func (t *site) send(s *Subscription, at int) bool {
	if s.sent < t.buffer.from {
		return false
	}
	for _, f := range t.buffer.frames[at:] {
		select {
		case s.ch <- f:
			s.sent = f.Seq()
		default:
			return false
		}
	}
	s.sent = max(s.sent, t.high)
	return true
}

// lag makes a subscription that is in no list a lagging one. It wakes the subscription, which may have emptied its channel since that was
// found full, and then would not notice that it lags. Callers hold t.mu.
func (t *site) lag(s *Subscription) {
	t.put(s, lagging)
	select {
	case s.ch <- look:
	default:
	}
	t.reg.counters.catchUps.Add(1)
}
