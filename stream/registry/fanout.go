package registry

import (
	"context"
	"runtime"
	"sync"
)

// portion is how many subscriptions are woken before others have their turn: posts, and other
// sites. Waking all at once would put every post behind a write to each subscriber; in portions,
// posts go on meanwhile, and a subscriber that is woken later finds several events to write at once.
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

// next takes the site whose turn it is, nil when none is waiting.
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

// fanOut is the dispatcher: it sends what was delivered to the live subscriptions, a portion of one site
// after a portion of another, until ctx ends.
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

// schedule begins a round when none is under way. Callers hold t.mu.
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

// sendPortion sends some stale subscriptions everything that they were not sent yet: one that is late in a
// round gets more at once. It returns whether the site has more to do.
func (t *site) sendPortion(portion int) (more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, sent := -1, uint64(0) // most were sent the same: look it up in the buffer once
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
	}
	t.queued = len(t.lists[t.stale]) > 0 || t.high > t.round && t.beginRound()
	if !t.queued {
		t.trim()
	}
	return t.queued
}

// send puts the frames of the buffer from an index on into a channel. It returns false when that is full, or
// when some frames are no longer in memory. Callers hold t.mu.
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

// lag makes a subscription that is in no list a lagging one, and wakes it to find out: it may have emptied its
// channel since that was seen to be full. Callers hold t.mu.
func (t *site) lag(s *Subscription) {
	t.put(s, lagging)
	select {
	case s.ch <- wakeUp:
	default:
	}
	t.reg.counters.catchUps.Add(1)
}
