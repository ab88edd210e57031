package registry

import (
	"errors"
	"sync"
)

// Waker is the owner of a subscription that needs no goroutine while nothing waits.
type Waker interface {
	// Wake calls Poll until that returns an empty batch or an error. If it may not block, others are woken afterwards: it then starts a goroutine
	// for what would block.
	Wake(block bool)
}

// ErrWouldBlock is returned instead of blocking.
var ErrWouldBlock = errors.New("would block")

// The states of an owner. It is idle without all of them.
const (
	awake  = 1 << iota // it calls Poll, or is about to be woken
	more               // something was sent to it since it last looked
	ending             // the channel is closed, and the owner has to return the rest
)

// WakeBy sets the owner of a subscription, which then calls Poll instead of Next. The owner is awake: it has to call Poll once.
func (s *Subscription) WakeBy(owner Waker) {
	s.site.mu.Lock()
	defer s.site.mu.Unlock()
	s.owner = owner
	s.state.Or(awake)
	if s.ended != nil {
		s.state.Or(ending)
	}
}

// Poll is Next without waiting for frames. After an empty batch the owner must not use the subscription until it is woken. Unless it
// may block, Poll returns ErrWouldBlock where it has to read the log.
func (s *Subscription) Poll(block bool) (Batch, error) {
	for {
		if b, err := s.waiting(block); err != nil || b.Frames > 0 || s.rest() {
			return b, err
		}
	}
}

// rest makes the owner idle. It returns false when it has to look again: something was sent, or the subscription has ended. It depends on no
// order but that of the changes of state.
func (s *Subscription) rest() bool {
	return !s.state.CompareAndSwap(awake|more, awake) && s.state.CompareAndSwap(awake, 0)
}

// wakeEnded wakes the owner of a subscription whose channel was closed. Callers hold site.mu.
func (s *Subscription) wakeEnded() {
	if s.owner != nil && s.state.Or(awake|ending) == 0 {
		go s.owner.Wake(true)
	}
}

// wakeUp wakes idle owners, a portion of them on one goroutine: to start one for each takes three times as long, see BenchmarkWake.
type wakeUp struct{ owners *[]Waker }

// portions has the lists of wakeUp.
var portions = sync.Pool{New: func() any { owners := make([]Waker, 0, portion); return &owners }}

// add wakes the owner of a subscription to which something was sent, together with others: start has to be called after the last one.
// Callers hold site.mu.
func (w *wakeUp) add(s *Subscription) {
	if s.owner == nil || s.state.Or(awake|more) != 0 {
		return
	}
	if w.owners == nil {
		w.owners = portions.Get().(*[]Waker)
	}
	*w.owners = append(*w.owners, s.owner)
	if len(*w.owners) == portion {
		w.start()
	}
}

// start starts the goroutine.
func (w *wakeUp) start() {
	if w.owners != nil {
		go wakeAll(w.owners)
		w.owners = nil
	}
}

func wakeAll(owners *[]Waker) {
	for _, owner := range *owners {
		owner.Wake(false)
	}
	clear(*owners)
	*owners = (*owners)[:0]
	portions.Put(owners)
}
