package registry

import (
	"sync"
	"sync/atomic"
	"time"

	"proofstream/stream"
)

// site is the state of one customer website in the registry.
type site struct {
	name  string
	reg   *Registry
	acked atomic.Uint64 // see doc.go

	mu sync.Mutex // guards the fields below; nothing blocks under it

	state   followState
	failure error         // why the last load failed; nil after a success
	users   int           // subscriptions, and joins under way
	unused  time.Time     // since when users is 0
	stop    func()        // ends the follower; nil while there is none
	moved   chan struct{} // closed at the next change of state, high or posting; nil while no goroutine waits

	high   uint64 // see doc.go
	buffer buffer
	epochs stream.Epochs // as last read
	limits stream.Limits // as last read
	sound  uint64        // epochs.Sound() when the site was loaded
	recent recent
	erased map[uint64]bool // sequences of retracted signups that the log may still have

	posting         int    // appends under way
	behind          uint64 // how much of the log at the last watch but one is not delivered
	highAtLastWatch uint64 // Bounds.High of the log at the last watch

	// lists[stale] are the live subscriptions to which this round has not sent yet, lists[1-stale] the other live ones, and
	// lists[lagging] those that catch up.
	lists  [3]list
	stale  int    // 0 or 1
	queued bool   // in the run queue
	round  uint64 // see doc.go
}

// lagging is the index in site.lists of the subscriptions that catch up.
const lagging = 2

// list is a set of subscriptions. Each of them has its index in it.
type list []*Subscription

// put adds a subscription to a list. Callers hold t.mu.
func (t *site) put(s *Subscription, list int) {
	s.list, s.index = uint8(list), int32(len(t.lists[list]))
	t.lists[list] = append(t.lists[list], s)
	s.lags.Store(list == lagging)
}

// take removes a subscription from its list. Callers hold t.mu.
func (t *site) take(s *Subscription) {
	list := t.lists[s.list]
	end := len(list) - 1
	list[s.index] = list[end]
	list[s.index].index = s.index
	list[end] = nil
	t.lists[s.list] = list[:end]
}

// enter adds a new subscription. It is live when its cursor has reached site.high, otherwise lagging. Callers hold t.mu.
func (t *site) enter(s *Subscription) {
	s.site, s.sent = t, s.cursor
	if s.cursor >= t.high {
		t.put(s, 1-t.stale)
	} else {
		t.put(s, lagging)
	}
}

// leave removes a subscription and closes its channel. Next then returns why. It has no effect on one that has ended before.
func (t *site) leave(s *Subscription, why CloseReason) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.ended != nil {
		return
	}
	t.take(s)
	t.reg.left(why) // before its owner can tell anyone
	s.ended = why
	close(s.ch)
	s.wakeEnded()
	if s.cancel != nil {
		s.cancel()
	}
	t.trim()
	t.endUse()
}

// subscriptions returns all open subscriptions of the site.
func (t *site) subscriptions() []*Subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append(append(append(make([]*Subscription, 0, t.open()), t.lists[0]...), t.lists[1]...), t.lists[2]...)
}

// open returns how many subscriptions there are. Callers hold t.mu.
func (t *site) open() int { return len(t.lists[0]) + len(t.lists[1]) + len(t.lists[2]) }

// trim removes the oldest frames from memory. While a subscription has not been sent everything, more frames stay, also of events that
// retention has removed. Callers hold t.mu.
func (t *site) trim() {
	o := &t.reg.o
	if len(t.lists[lagging]) > 0 || len(t.lists[t.stale]) > 0 {
		t.buffer.trim(o.LaggingWindow, o.LaggingBytes)
		return
	}
	t.buffer.trim(o.Window, o.LaggingBytes)
}

// signal wakes all goroutines that wait for a change. Callers hold t.mu.
func (t *site) signal() {
	if t.moved != nil {
		close(t.moved)
		t.moved = nil
	}
}

// change returns a channel that is closed at the next change. Callers hold t.mu.
func (t *site) change() <-chan struct{} {
	if t.moved == nil {
		t.moved = make(chan struct{})
	}
	return t.moved
}

// newest returns the newest sequence that this process knows of. Callers hold t.mu.
func (t *site) newest() uint64 { return max(t.high, t.acked.Load()) }
