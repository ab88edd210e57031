package stream

import (
	"cmp"
	"context"
	"errors"
	"slices"
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
	gapTo   uint64 // it has been told that events up to here may be missing ...
	toldGap bool   // ... and was sent nothing since
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

// How long to wait for a turn to read the log, how long one reading may take, how long to let the
// log be that cannot be read, and how often, how far apart, to look again when the registry and the
// log do not agree yet on what is kept.
const (
	turnPatience = 2 * time.Second
	readPatience = 5 * time.Second
	awayPause    = time.Second
	agreePause   = 10 * time.Millisecond
	agreeLooks   = 50
)

// catchUp brings a subscription in arrears nearer: its channel is filled from memory, and it may
// be live again; or a page of the log is in its backlog; or, while the log cannot be read, nothing.
func (s *Subscription) catchUp() error {
	for look := 1; ; look++ {
		if err := s.site.admit(s); !errors.Is(err, errBehind) {
			return err
		}
		page, err := s.readPage()
		if err != nil {
			time.Sleep(awayPause)
			return nil
		}
		settled, err := s.site.settle(s, page, look >= agreeLooks)
		if errors.Is(err, Overtaken) {
			s.End(Overtaken)
		}
		if settled || err != nil {
			return err
		}
		time.Sleep(agreePause)
	}
}

// readPage reads the next page of the log when it is its turn.
func (s *Subscription) readPage() ([]Event, error) {
	r := s.site.reg
	ctx, cancel := context.WithTimeout(context.Background(), turnPatience)
	defer cancel()
	select {
	case r.readers <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-r.readers }()
	ctx, cancel = context.WithTimeout(context.Background(), readPatience)
	defer cancel()
	return r.log.Read(ctx, s.site.name, s.pos, r.o.Buffer)
}

// settle checks a page of the log against what is thought to be kept: an event that the retention
// removed just before the page was read must not be skipped in silence. It moves the page into the
// backlog, or returns false when the registry and the log do not agree: then the registry may be
// about to hear why. With trust, the log is right: what it lacks is gone.
func (t *site) settle(s *Subscription, page []Event, trust bool) (settled bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.ended != nil {
		return false, s.ended
	}
	t.expire(t.reg.now())
	upTo := t.tailFrom // an unfilled page reaches beyond what the tail has forgotten
	if len(page) == t.reg.o.Buffer {
		upTo = min(page[len(page)-1].Seq, t.last)
	}
	missing := t.missing(page, s.pos, upTo)
	if len(missing) > 0 && !trust {
		return false, nil
	}
	for _, seq := range missing {
		t.kept[Announce].remove(seq)
		t.kept[Retract].remove(seq)
		t.floor = max(t.floor, seq)
	}
	if s.toldGap && s.gapTo < t.floor { // nothing was sent yet: the gap that was told grew
		s.gapTo = t.floor
	}
	if s.pos < t.floor && s.gapTo < t.floor {
		return false, Overtaken
	}
	t.hand(s, page, upTo)
	return true, nil
}

// missing returns what is thought to be kept after one position up to another and is not in a page.
// Callers hold t.mu.
func (t *site) missing(page []Event, after, upTo uint64) (seqs []uint64) {
	for kind := range t.kept {
		for _, m := range t.kept[kind].after(after) {
			if m.seq > upTo {
				break
			}
			_, found := slices.BinarySearchFunc(page, m.seq, func(ev Event, seq uint64) int { return cmp.Compare(ev.Seq, seq) })
			if !found {
				seqs = append(seqs, m.seq)
			}
		}
	}
	return seqs
}

// hand puts what is kept of a page into the backlog; the subscription then has everything up to
// upTo at least. Callers hold t.mu.
func (t *site) hand(s *Subscription, page []Event, upTo uint64) {
	chain := t.reg.log.Chain()
	for _, ev := range page {
		if t.kept[ev.Kind].holds(ev.Seq) {
			s.backlog = append(s.backlog, NewFrame(chain.ID(ev.Seq), ev.Kind, ev.Time, ev.Data))
			s.toldGap = false
			upTo = max(upTo, ev.Seq)
		}
	}
	s.pos = upTo
	t.reg.counters.pages.Add(1)
}
