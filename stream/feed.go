package stream

import (
	"context"
	"runtime"
	"sync"
)

// feedPortion is how many subscriptions are woken before others have their turn: posts, and other
// sites. Waking all at once would put every post behind a write to each subscriber; in portions,
// posts go on meanwhile, and a subscriber that is woken later finds several events to write at once.
const feedPortion = 64

// feeder knows which sites have frames that not all of their subscriptions were sent.
type feeder struct {
	wake chan struct{} // holds one token while sites is not empty

	mu    sync.Mutex // guards sites
	sites []*site    // in turn
}

func (f *feeder) add(t *site) {
	f.mu.Lock()
	f.sites = append(f.sites, t)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// next takes the site whose turn it is, nil when none is waiting.
func (f *feeder) next() *site {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.sites) == 0 {
		f.sites = nil
		return nil
	}
	t := f.sites[0]
	f.sites = f.sites[1:]
	return t
}

// runFeeder sends what is published to the live subscriptions, a portion of one site after a portion of
// another, until ctx ends.
func (r *Registry) runFeeder(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.feeder.wake:
		}
		for t := r.feeder.next(); t != nil && ctx.Err() == nil; t = r.feeder.next() {
			if t.feed(feedPortion) {
				r.feeder.add(t)
			}
			runtime.Gosched()
		}
	}
}

// feed sends the next portion of live subscriptions what they were not sent yet, all of it: who is
// late in a round gets more at once. It tells whether there is more to do.
func (t *site) feed(portion int) (more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fed == 0 {
		t.again, t.roundTo = false, t.last
	}
	at, sent := -1, uint64(0) // most were sent the same: look its place in the tail up once
	for ; portion > 0 && t.fed < len(t.live); portion-- {
		s := t.live[t.fed]
		if at < 0 || s.sent != sent {
			at, sent = t.tailAfter(s.sent), s.sent
		}
		if t.send(s, at) {
			t.fed++
		}
	}
	if t.fed < len(t.live) {
		return true
	}
	t.fed = 0
	t.feeding = t.again || t.last > t.roundTo
	t.trimTail()
	return t.feeding
}

// send puts the frames of the tail from an index on into a channel. When that is full, or some
// frames are no longer in memory, the subscription is in arrears and send returns false. Callers
// hold t.mu.
func (t *site) send(s *Subscription, at int) bool {
	if s.sent < t.tailFrom {
		t.fallBehind(s)
		return false
	}
	for _, f := range t.tail[at:] {
		select {
		case s.ch <- f:
			s.sent = f.Seq()
		default:
			t.fallBehind(s)
			return false
		}
	}
	s.sent = t.last
	return true
}

// fallBehind puts a subscription in arrears and makes sure that it wakes to find out: it may have
// emptied its channel since that was seen to be full. Callers hold t.mu.
func (t *site) fallBehind(s *Subscription) {
	t.move(s, true)
	select {
	case s.ch <- nudge:
	default:
	}
	t.reg.counters.arrears.Add(1)
}

// nudge wakes a subscription. It has no bytes.
var nudge = &Frame{}
