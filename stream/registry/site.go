package registry

import (
	"sync"
	"sync/atomic"
	"time"

	"proofstream/stream"
)

// site is what the registry knows of one customer website.
type site struct {
	name  string
	reg   *Registry
	acked atomic.Uint64 // see doc.go

	mu sync.Mutex // guards everything below; nothing blocks under it

	state   followState
	failure error         // why loading failed last; nil once it succeeded
	users   int           // subscriptions, and joins under way
	unused  time.Time     // since when there is no user
	stop    func()        // ends the follower; nil while there is none
	moved   chan struct{} // closed at the next change of state, high or posting; nil while nobody waits

	high   uint64 // see doc.go
	buffer buffer
	epochs stream.Epochs // as last read
	limits stream.Limits // as last read
	sound  uint64        // epochs.Sound() when the site was loaded
	recent recent
	erased map[uint64]bool // retracted signups that the log may still hold

	posting int    // appends under way
	behind  uint64 // how much of the log was found not to be handed out: see watch
	missed  uint64 // the log's High when that was found

	// The lists of live subscriptions: lists[stale] have a send to come in this round, the others have had
	// it. The third one holds those that lag.
	lists  [3]list
	stale  int    // 0 or 1
	queued bool   // in the run queue
	round  uint64 // see doc.go
}

// lagging is the index of the list of subscriptions that catch up.
const lagging = 2

// list is a set of subscriptions, each of which knows its index.
type list []*Subscription

// put adds a subscription to a list. Callers hold t.mu.
func (t *site) put(s *Subscription, list int) {
	s.list, s.index = list, len(t.lists[list])
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

// enter adds a new subscription: live when it has everything that was handed out, else lagging. Callers
// hold t.mu.
func (t *site) enter(s *Subscription) {
	s.site, s.sent = t, s.pos
	if s.pos >= t.high {
		t.put(s, 1-t.stale)
	} else {
		t.put(s, lagging)
	}
}

// leave removes a subscription and closes its channel; why is what Next then returns. It returns
// whether the subscription was still there.
func (t *site) leave(s *Subscription, why CloseReason) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.ended != nil {
		return false
	}
	t.take(s)
	s.ended = why
	close(s.ch)
	if s.cancel != nil {
		s.cancel()
	}
	t.trim()
	t.free()
	return true
}

func (t *site) subscriptions() []*Subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append(append(append(make([]*Subscription, 0, t.open()), t.lists[0]...), t.lists[1]...), t.lists[2]...)
}

// open returns how many subscriptions there are. Callers hold t.mu.
func (t *site) open() int { return len(t.lists[0]) + len(t.lists[1]) + len(t.lists[2]) }

// trim lets the oldest frames go from memory. They stay for subscriptions that have not been sent them, also
// when retention has removed the events meanwhile. Callers hold t.mu.
func (t *site) trim() {
	o := &t.reg.o
	if len(t.lists[lagging]) > 0 || len(t.lists[t.stale]) > 0 {
		t.buffer.trim(o.LaggingWindow, max(o.LaggingBytes, 1))
		return
	}
	t.buffer.trim(o.Window, o.LaggingBytes)
}

// signal wakes everybody who waits for a change. Callers hold t.mu.
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
