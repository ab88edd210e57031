package stream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Ending says why a subscription ended; Next returns it as its error.
type Ending string

const (
	Gone      Ending = "gone"      // closed by the browser
	Slow      Ending = "slow"      // accepted no byte for too long
	Full      Ending = "full"      // never let in: as many subscribers as allowed
	Dead      Ending = "dead"      // vanished without a word
	Drained   Ending = "drain"     // the service is going down
	Overtaken Ending = "overtaken" // the retention removed what it was about to get: a gap will be told
)

func (e Ending) Error() string { return "subscription ended: " + string(e) }

// errBehind: some missed frames are no longer in memory.
var errBehind = errors.New("behind what is in memory")

// maxBatch bounds the bytes that one Next returns, but for a single frame: enough to make a write
// worth its system call, little enough for thousands of subscribers to catch up at once.
const maxBatch = 16 << 10

// Subscription is one subscriber's place in the registry. Its owner calls Next until that returns
// an error, then Close. Only End may be called by others at the same time.
type Subscription struct {
	site    *site
	ch      chan *Frame
	pos     uint64   // everything up to here was returned by Next or waits in backlog or ch
	backlog []*Frame // to be returned before what is in ch
	batch   *[]byte  // what the last Next returned, if it was put together
	behind  atomic.Bool
	slot    uint8  // which beat of the heartbeat is its
	gapTo   uint64 // it has been told that events up to here may be missing
	index   int    // place in its site's list; guarded by site.mu
	sent    uint64 // newest sequence put into ch, while live; guarded by site.mu
	ended   error  // guarded by site.mu until ch is closed
}

// Batch is what one wake-up has to write.
type Batch struct {
	Bytes  []byte // whole frames; shared, read only, valid until the next call
	Frames int
}

// Next waits until there is something to send and returns all of it that fits a batch. The error
// is an Ending.
func (s *Subscription) Next() (Batch, error) {
	s.release()
	for {
		if len(s.backlog) > 0 {
			return s.takeBacklog(), nil
		}
		if s.behind.Load() && len(s.ch) == 0 {
			if err := s.catchUp(); err != nil {
				return Batch{}, err
			}
			if len(s.backlog) == 0 && len(s.ch) == 0 && s.behind.Load() {
				return Batch{Bytes: heartbeat.Bytes(), Frames: 1}, nil // the log is away: stay alive
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

// Close ends the subscription by its owner's hand. It is harmless after End.
func (s *Subscription) Close(why Ending) {
	s.End(why)
	s.release()
}

// End makes Next return why, once it has returned what is already in the channel. The first End
// counts.
func (s *Subscription) End(why Ending) {
	if s.site.leave(s, why) {
		s.site.reg.left(why)
	}
}

// gather puts the frames that wait in the channel behind the first one.
func (s *Subscription) gather(first *Frame) Batch {
	if len(s.ch) == 0 {
		if !s.advance(first) {
			return Batch{}
		}
		return Batch{Bytes: first.Bytes(), Frames: 1}
	}
	var b Batch
	s.batch = batches.Get().(*[]byte)
	buf := (*s.batch)[:0]
	for f, ok := first, true; ok && f != nil; {
		if s.advance(f) {
			buf = append(buf, f.Bytes()...)
			b.Frames++
		}
		if len(buf) >= maxBatch-MaxFrame || len(s.ch) == 0 {
			break
		}
		f, ok = <-s.ch
	}
	*s.batch = buf
	b.Bytes = buf
	return b
}

// advance notes that a frame is being returned; false means that the subscriber has it already.
func (s *Subscription) advance(f *Frame) bool {
	if f == nudge || f.Seq() <= s.pos && f != heartbeat {
		return false
	}
	s.pos = max(s.pos, f.Seq())
	return true
}

func (s *Subscription) takeBacklog() Batch {
	var b Batch
	s.batch = batches.Get().(*[]byte)
	buf := (*s.batch)[:0]
	for len(s.backlog) > 0 && len(buf) < maxBatch-MaxFrame {
		buf = append(buf, s.backlog[0].Bytes()...)
		s.backlog = s.backlog[1:]
		b.Frames++
	}
	if len(s.backlog) == 0 {
		s.backlog = nil
	}
	*s.batch = buf
	b.Bytes = buf
	return b
}

// batches keeps buffers between wake-ups, so that an idle subscription holds none.
var batches = sync.Pool{New: func() any { b := make([]byte, 0, maxBatch); return &b }}

func (s *Subscription) release() {
	if s.batch != nil {
		batches.Put(s.batch)
		s.batch = nil
	}
}

// catchUp brings a subscription in arrears nearer: its channel is filled from memory, and it may
// be live again; or a page of the log is in its backlog; or, the log being away, nothing.
func (s *Subscription) catchUp() error {
	if err := s.site.admit(s); !errors.Is(err, errBehind) {
		return err
	}
	r := s.site.reg
	r.readers <- struct{}{}
	defer func() { <-r.readers }()
	return s.readLog()
}

// How long one attempt to read the log may take, how long to wait for the registry and the log
// to agree, and between two looks.
const (
	readTimeout  = 5 * time.Second
	agreeTimeout = 5 * time.Second
	agreePause   = 10 * time.Millisecond
)

// readLog puts the next page of the log into the backlog.
func (s *Subscription) readLog() error {
	t := s.site
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	for deadline := time.Now().Add(agreeTimeout); ; time.Sleep(agreePause) {
		page, err := t.reg.log.Read(ctx, t.name, s.pos, t.reg.o.Buffer)
		if err != nil {
			time.Sleep(time.Second)
			return nil
		}
		agreed, err := t.settle(s, page)
		if agreed {
			return nil
		}
		if err == nil && time.Now().After(deadline) {
			err = Overtaken
		}
		if err != nil {
			return err
		}
	}
}

// settle checks a page of the log against what is kept: an event that the retention removed just
// before the page was read must not be skipped in silence. It moves the page into the backlog, or
// returns false when the registry and the log do not agree yet.
func (t *site) settle(s *Subscription, page []Event) (agreed bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.ended != nil {
		return false, s.ended
	}
	if s.pos < t.floor && s.gapTo < t.floor {
		return false, Overtaken
	}
	upTo := t.tailFrom // an unfilled page reaches beyond what the tail has forgotten
	if len(page) == t.reg.o.Buffer {
		upTo = min(page[len(page)-1].Seq, t.last)
	}
	held := page[:0]
	covered := 0
	for _, ev := range page {
		if t.kept[ev.Kind].holds(ev.Seq) {
			held = append(held, ev)
			if ev.Seq <= upTo {
				covered++
			}
		}
	}
	if covered < t.keptBetween(s.pos, upTo) {
		return false, nil
	}
	chain := t.reg.log.Chain()
	for _, ev := range held {
		s.backlog = append(s.backlog, NewFrame(chain.ID(ev.Seq), ev.Kind, ev.Time, ev.Data))
		upTo = max(upTo, ev.Seq)
	}
	s.pos = upTo
	t.reg.counters.pages.Add(1)
	return true, nil
}

// keptBetween counts the kept events after one position up to another. Callers hold t.mu.
func (t *site) keptBetween(after, upTo uint64) (n int) {
	for kind := range t.kept {
		n += len(t.kept[kind].after(after)) - len(t.kept[kind].after(upTo))
	}
	return n
}
