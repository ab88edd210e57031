package registry

import (
	"context"
	"sync"
	"sync/atomic"

	"proofstream/stream"
)

// CloseReason says why a subscription ended; Next returns it as its error.
type CloseReason string

const (
	Gone    CloseReason = "gone"    // closed by the browser
	Slow    CloseReason = "slow"    // accepted no byte for too long
	Dead    CloseReason = "dead"    // vanished without a word
	Full    CloseReason = "full"    // never let in: as many subscribers as allowed
	Drained CloseReason = "drain"   // the service is going down
	Overrun CloseReason = "overrun" // retention removed what it was about to get: it returns to a gap
)

func (c CloseReason) Error() string { return "subscription ended: " + string(c) }

// maxBatch bounds the bytes that one Next returns: enough to make a write worth its system call, little
// enough for thousands of subscribers to catch up at once. It holds two frames of any size.
const maxBatch = 16 << 10

// Subscription is one subscriber's place in the registry. Its owner calls Next until that returns
// an error, then Close. Only End may be called by others at the same time.
type Subscription struct {
	site    *site
	ch      chan *stream.Frame // only the holder of site.mu sends and closes
	pos     uint64             // see doc.go
	backlog []*stream.Frame    // to be returned before what is in ch
	batch   *[]byte            // what the last Next returned, if it was put together
	lags    atomic.Bool        // in the list of those that catch up
	phase   uint8              // which tick of the heartbeat is its

	// Guarded by site.mu.
	list, index int    // where it is in site.lists
	sent        uint64 // see doc.go
	cancel      func() // ends the read of the log under way
	ended       error  // not changed once ch is closed
}

// Batch is what one wake-up has to write.
type Batch struct {
	Bytes  []byte // whole frames; shared, read only, valid until the next call of Next or Close
	Frames int
}

// wakeUp wakes a subscription. It has no bytes.
var wakeUp = &stream.Frame{}

// Next waits until there is something to send and returns all of it that fits a batch, at most 16 KiB.
// The error is a CloseReason.
func (s *Subscription) Next() (Batch, error) {
	s.release()
	for {
		if len(s.backlog) > 0 {
			return s.takeBacklog(), nil
		}
		if s.lags.Load() && len(s.ch) == 0 {
			if b, err := s.catchUp(); err != nil || b.Frames > 0 {
				return b, err
			}
			continue
		}
		f, ok := <-s.ch
		if !ok {
			return Batch{}, s.ended
		}
		if b := s.gather(f); b.Frames > 0 {
			return b, nil
		}
		s.release()
	}
}

// Close ends the subscription for its owner. It is harmless after End.
func (s *Subscription) Close(why CloseReason) {
	s.End(why)
	s.release()
}

// End makes Next return why, once it has returned what is already in the channel. The first End
// counts.
func (s *Subscription) End(why CloseReason) {
	if s.site.leave(s, why) {
		s.site.reg.left(why)
	}
}

// gather puts the frames that wait in the channel behind the first one.
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
		if len(buf) >= maxBatch-stream.MaxFrame || len(s.ch) == 0 {
			break
		}
		f, ok = <-s.ch
	}
	*s.batch, b.Bytes = buf, buf
	return b
}

// advance notes that a frame is being returned; false means that the subscriber has it already.
func (s *Subscription) advance(f *stream.Frame) bool {
	if f == wakeUp || f.Seq() <= s.pos && f != heartbeat {
		return false
	}
	s.pos = max(s.pos, f.Seq())
	return true
}

func (s *Subscription) takeBacklog() Batch {
	var b Batch
	buf := s.newBatch()
	for len(s.backlog) > 0 && len(buf) < maxBatch-stream.MaxFrame {
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
var batches = sync.Pool{New: func() any { b := make([]byte, 0, maxBatch); return &b }}

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

// untilEnd returns a context that ends with the subscription, after a time at the latest. The error is why the
// subscription has ended already.
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
