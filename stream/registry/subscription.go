package registry

import (
	"context"
	"sync"
	"sync/atomic"
	"unique"

	"proofstream/stream"
)

// CloseReason says why a subscription ended. Next returns it as its error.
type CloseReason string

const (
	// Gone means that the browser has closed the stream.
	Gone CloseReason = "gone"
	// Slow means that the subscriber accepted no byte for too long.
	Slow CloseReason = "slow"
	// Dead means that the subscriber vanished without closing its connection.
	Dead CloseReason = "dead"
	// Full means that Join refused the subscription with ErrFull.
	Full CloseReason = "full"
	// Drained means that the service stops.
	Drained CloseReason = "drain"
	// Refused means that the pages of the subscriber's origin may no longer subscribe: see EndRefused.
	Refused CloseReason = "refused"
	// Overrun means that retention or damage removed what the subscription was about to get. The subscriber gets a gap when it reconnects.
	Overrun CloseReason = "overrun"
)

// Error returns one line with the reason.
func (c CloseReason) Error() string { return "subscription ended: " + string(c) }

// maxBatchBytes is how many bytes Next returns at most: enough to make a write worth its system call, and few enough for thousands of subscribers
// to catch up at once. It holds two frames of any size.
const maxBatchBytes = 16 << 10

// Subscription is one subscriber in the registry. Its owner calls Next, or after WakeBy Poll, until that returns an error, then Close. Only
// End may be called by other goroutines at the same time.
type Subscription struct {
	site    *site
	ch      chan *stream.Frame    // only the holder of site.mu sends to it and closes it
	cursor  uint64                // see doc.go
	backlog []*stream.Frame       // to be returned before the frames in ch
	batch   *[]byte               // the pooled buffer of the last Next; nil when it used none
	origin  unique.Handle[string] // see Request.Origin; zero for none
	lags    atomic.Bool           // in the list of lagging subscriptions
	state   atomic.Uint32         // of the owner, after WakeBy: awake, more and ending
	phase   uint8                 // the tick of the heartbeat at which this subscription gets one

	// Guarded by site.mu.
	list   uint8  // with index: its entry in site.lists
	index  int32  // this order and small types keep a subscription at 128 bytes
	sent   uint64 // see doc.go
	owner  Waker  // see WakeBy; nil for one that calls Next
	cancel func() // ends the read of the log under way; nil while there is none
	ended  error  // the CloseReason; does not change after ch is closed
}

// Batch is what the owner of a subscription writes at once.
type Batch struct {
	Bytes  []byte // whole frames, at most 16 KiB; shared, so read only; valid until the next call of Next or Close
	Frames int    // in Bytes, at least 1
}

// look makes the owner look whether the subscription lags. It has no bytes.
var look = &stream.Frame{}

// Next waits until there are frames to write, and returns as many of them as fit a batch. The error is a CloseReason.
func (s *Subscription) Next() (Batch, error) {
	for {
		if b, err := s.waiting(true); err != nil || b.Frames > 0 {
			return b, err
		}
		f, ok := <-s.ch
		if !ok {
			return Batch{}, s.ended
		}
		if b := s.gather(f); b.Frames > 0 {
			return b, nil
		}
	}
}

// waiting returns the frames that wait, of a lagging subscription also those in memory and in the log; an empty batch when there are none.
func (s *Subscription) waiting(block bool) (Batch, error) {
	s.release()
	for {
		if len(s.backlog) > 0 {
			return s.takeBacklog(), nil
		}
		if s.lags.Load() && len(s.ch) == 0 {
			if !block {
				return Batch{}, ErrWouldBlock
			}
			if b, err := s.catchUp(); err != nil || b.Frames > 0 {
				return b, err
			}
			continue
		}
		select {
		case f, ok := <-s.ch:
			if !ok {
				return Batch{}, s.ended
			}
			if b := s.gather(f); b.Frames > 0 {
				return b, nil
			}
			s.release()
		default:
			return Batch{}, nil
		}
	}
}

// Close ends the subscription for its owner, and invalidates the last batch. After End, the reason of End stays.
func (s *Subscription) Close(why CloseReason) {
	s.End(why)
	s.release()
}

// End makes Next return why as its error, after it has returned the frames that are in the channel. Only the first call has an effect.
func (s *Subscription) End(why CloseReason) {
	s.site.leave(s, why)
}

// EndRefused ends, with Refused, the subscriptions of a site that were made with a Request.Origin which allowed does not accept.
func (r *Registry) EndRefused(site string, allowed func(origin string) bool) {
	for _, s := range r.site(site).subscriptions() {
		if s.origin != (unique.Handle[string]{}) && !allowed(s.origin.Value()) {
			s.End(Refused)
		}
	}
}

// gather returns the first frame and those that wait in the channel.
func (s *Subscription) gather(first *stream.Frame) Batch {
	if len(s.ch) == 0 {
		if !s.advance(first) {
			return Batch{}
		}
		return Batch{Bytes: first.Bytes(), Frames: 1}
	}
	var b Batch
	buf := s.newBatch()
	for f, ok := first, true; ok && f != nil; {
		if s.advance(f) {
			buf = append(buf, f.Bytes()...)
			b.Frames++
		}
		if len(buf) >= maxBatchBytes-stream.MaxFrame || len(s.ch) == 0 {
			break
		}
		f, ok = <-s.ch
	}
	*s.batch, b.Bytes = buf, buf
	return b
}

// advance moves the cursor to a frame that is being returned. It returns false for a frame that the subscriber has already, and for look.
func (s *Subscription) advance(f *stream.Frame) bool {
	if f == look || f.Seq() <= s.cursor && f != heartbeat {
		return false
	}
	s.cursor = max(s.cursor, f.Seq())
	return true
}

// takeBacklog removes frames from the backlog and returns them.
func (s *Subscription) takeBacklog() Batch {
	var b Batch
	buf := s.newBatch()
	for len(s.backlog) > 0 && len(buf) < maxBatchBytes-stream.MaxFrame {
		buf = append(buf, s.backlog[0].Bytes()...)
		s.backlog = s.backlog[1:]
		b.Frames++
	}
	if len(s.backlog) == 0 {
		s.backlog = nil
	}
	*s.batch, b.Bytes = buf, buf
	return b
}

// batches keeps buffers between wake-ups, so that an idle subscription holds none.
var batches = sync.Pool{New: func() any { b := make([]byte, 0, maxBatchBytes); return &b }}

func (s *Subscription) newBatch() []byte {
	s.batch = batches.Get().(*[]byte)
	return (*s.batch)[:0]
}

func (s *Subscription) release() {
	if s.batch != nil {
		batches.Put(s.batch)
		s.batch = nil
	}
}

// untilEnd returns a context that ends with the subscription, and after readTimeout at the latest. The error is the CloseReason of a
// subscription that has ended already.
func (s *Subscription) untilEnd(ctx context.Context) (context.Context, func(), error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	s.site.mu.Lock()
	defer s.site.mu.Unlock()
	if s.ended != nil {
		cancel()
		return nil, nil, s.ended
	}
	s.cancel = cancel
	return ctx, func() {
		cancel()
		s.site.mu.Lock()
		s.cancel = nil
		s.site.mu.Unlock()
	}, nil
}
