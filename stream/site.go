package stream

import (
	"slices"
	"sort"
	"sync"
	"time"
)

// site is what the registry knows of one customer website.
type site struct {
	name string
	reg  *Registry

	mu sync.Mutex // guards everything below; nothing blocks under it

	live    []*Subscription // joined: feed sends to each of them
	arrears []*Subscription // catching up: they ask to be admitted when they have

	feeding bool   // frames were published that not every live subscription was sent yet
	fed     int    // how many of live were, in this round
	again   bool   // this round has missed somebody
	roundTo uint64 // newest sequence when the round began

	kept  [2]shelf // by Kind: what the retention keeps
	floor uint64   // newest sequence that the retention removed
	last  uint64   // newest sequence of this site

	// tail holds the newest frames of both kinds: all that the events after tailFrom became, but
	// for erased ones. It reaches further back while subscriptions are in arrears: what the
	// retention has removed meanwhile is theirs all the same.
	tail      []*Frame
	tailFrom  uint64
	tailBytes int

	newest []*Frame // signups, for newcomers: retractions may have filled the tail
}

// newestKept is how many signups stay in memory for newcomers: those that a subscriber may ask for,
// and some more, for some may be erased.
const newestKept = 64

// publish puts a frame where every subscription of the site gets it from: see feed.
func (t *site) publish(f *Frame, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keep(f, now)
	if len(t.live) > 0 && !t.feeding {
		t.feeding, t.fed = true, 0
		t.reg.feeder.add(t)
	}
}

// keep adds a frame to the tail and to the kept events. Callers hold t.mu.
func (t *site) keep(f *Frame, now time.Time) {
	t.last = f.Seq()
	t.kept[f.Kind()].add(mark{seq: f.Seq(), at: f.Time().UnixMilli()})
	t.expire(now)
	t.tail = append(t.tail, f)
	t.tailBytes += len(f.Bytes())
	t.trimTail()
	if f.Kind() == Announce {
		t.newest = append(t.newest, f)
		if len(t.newest) > 2*newestKept {
			t.newest = slices.Clone(t.newest[newestKept:])
		}
	}
}

// trimTail lets the oldest frames go from memory. Callers hold t.mu.
func (t *site) trimTail() {
	o := &t.reg.o
	for len(t.tail) > o.Window && (len(t.arrears) == 0 && !t.feeding || len(t.tail) > o.ArrearsWindow || t.tailBytes > o.ArrearsBytes) {
		t.tailFrom = t.tail[0].Seq()
		t.tailBytes -= len(t.tail[0].Bytes())
		t.tail[0] = nil
		t.tail = t.tail[1:]
	}
}

// expire forgets what the log's retention has removed by now. Callers hold t.mu.
func (t *site) expire(now time.Time) {
	since := now.Add(-t.reg.o.Retention).UnixMilli()
	for kind := range t.kept {
		t.floor = max(t.floor, t.kept[kind].trim(t.reg.o.Retain, since))
	}
}

// withdraw forgets an erased event, so that nobody new gets it.
func (t *site) withdraw(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept[Announce].remove(seq)
	i := t.tailAfter(seq - 1)
	if i < len(t.tail) && t.tail[i].Seq() == seq {
		t.tailBytes -= len(t.tail[i].Bytes())
		t.tail = slices.Delete(t.tail, i, i+1)
	}
	t.newest = slices.DeleteFunc(t.newest, func(f *Frame) bool { return f.Seq() == seq })
}

// tailAfter returns the index of the first frame in the tail above seq. Callers hold t.mu.
func (t *site) tailAfter(seq uint64) int {
	return sort.Search(len(t.tail), func(i int) bool { return t.tail[i].Seq() > seq })
}

// position returns the newest position that a subscriber joining now has nothing to miss before.
// Callers hold t.mu.
func (t *site) position() uint64 { return max(t.reg.head.Load(), t.last) }

// admit gives a subscription in arrears what it missed, as far as its channel takes it, and makes
// it live when that was all: finding the missed frames and joining is one step. The error is
// errBehind when some are no longer in memory, or why the subscription has ended.
func (t *site) admit(s *Subscription) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.ended != nil {
		return s.ended
	}
	if s.pos < t.tailFrom {
		return errBehind
	}
	for _, f := range t.tail[t.tailAfter(s.pos):] {
		if f.Seq() <= s.gapTo && !t.kept[f.Kind()].holds(f.Seq()) {
			continue // a newcomer gets what is kept, not what is merely still in memory
		}
		select {
		case s.ch <- f:
		default:
			return nil // drain this first, then ask again
		}
	}
	t.move(s, false)
	s.sent = t.last
	t.trimTail()
	return nil
}

// enter adds a new subscription, live or in arrears. Callers hold t.mu.
func (t *site) enter(s *Subscription, behind bool) {
	s.site, s.sent = t, t.last
	t.put(s, behind)
}

// leave takes a subscription out and closes its channel; why is what Next then returns. It tells
// whether the subscription was still there.
func (t *site) leave(s *Subscription, why Ending) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.ended != nil {
		return false
	}
	t.take(s)
	s.ended = why
	close(s.ch)
	t.trimTail()
	return true
}

// move takes a subscription from one list to the other. Callers hold t.mu.
func (t *site) move(s *Subscription, behind bool) {
	t.take(s)
	t.put(s, behind)
}

func (t *site) list(behind bool) *[]*Subscription {
	if behind {
		return &t.arrears
	}
	return &t.live
}

func (t *site) put(s *Subscription, behind bool) {
	list := t.list(behind)
	s.index = len(*list)
	*list = append(*list, s)
	s.behind.Store(behind)
}

func (t *site) take(s *Subscription) {
	list := t.list(s.behind.Load())
	end := len(*list) - 1
	last := (*list)[end]
	(*list)[s.index], last.index = last, s.index
	(*list)[end] = nil
	*list = (*list)[:end]
	if list == &t.live && s.index < t.fed && end >= t.fed {
		t.again = true // last has moved to where this round has already been
	}
}
