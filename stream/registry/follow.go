package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"proofstream/stream"
)

// followState says whether a site is followed.
type followState uint8

const (
	unfollowed followState = iota // nobody needs the site; nothing of it is in memory
	loading                       // a follower reads the newest events
	following                     // the follower hands out what comes
)

const (
	// unusedFor is how long a site without subscribers is followed on, for those that come back.
	unusedFor = time.Minute
	// loadPage is how many events are read at once while a site is loaded.
	loadPage = 256
	// loadRetry is the pause between two tries to load a site while its log is unavailable.
	loadRetry = 250 * time.Millisecond
)

// use counts a user of the site and waits until it is followed. The caller must call release, also
// after an error, which is the log's or the context's.
func (t *site) use(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.users++
	for t.state != following {
		var change <-chan struct{}
		switch {
		case t.failure != nil:
			return fmt.Errorf("load site %s: %w", t.name, errors.Join(t.failure, stream.ErrUnavailable))
		case t.state == loading:
			change = t.change()
		default:
			t.state = loading
		}
		t.mu.Unlock()
		err := t.await(ctx, change)
		t.mu.Lock()
		if err != nil {
			if change == nil { // it was this caller who had to begin
				t.state = unfollowed
				t.signal()
			}
			return err
		}
	}
	return nil
}

// await waits for a change of the site; without a channel, it hands the site to Run.
func (t *site) await(ctx context.Context, change <-chan struct{}) error {
	start := t.reg.start
	if change != nil {
		start = nil
	}
	select {
	case start <- t:
		return nil
	case <-change:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// free ends one use. Callers hold t.mu.
func (t *site) free() {
	if t.users--; t.users == 0 {
		t.unused = time.Now()
	}
}

func (t *site) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free()
}

// stopUnused ends the follower of a site that nobody has used for a while.
func (t *site) stopUnused() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.users == 0 && t.stop != nil && time.Since(t.unused) > unusedFor {
		t.stop()
	}
}

// follow loads the site and hands out its events until nobody needs it. The error is that of the log
// which cannot go on.
func (t *site) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		site, stop := context.WithCancel(ctx)
		t.mu.Lock()
		t.stop, t.unused = stop, time.Now()
		t.mu.Unlock()
		err := t.loadAndFollow(site)
		stop()
		if err != nil {
			return err
		}
		if t.forget() {
			return nil
		}
	}
	return nil
}

// forget empties the memory of a site that is no longer followed, unless a user came meanwhile.
func (t *site) forget() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop = nil
	t.state = loading
	t.signal()
	if t.users > 0 {
		return false
	}
	t.state = unfollowed
	t.buffer.reset(0)
	t.recent, t.erased = recent{}, nil
	t.lists = [3]list{}
	return true
}

func (t *site) loadAndFollow(ctx context.Context) error {
	for t.load(ctx) != nil {
		if !sleep(ctx, loadRetry) {
			return nil
		}
	}
	t.mu.Lock()
	after := t.high
	t.mu.Unlock()
	for ev, err := range t.reg.log.Follow(ctx, t.name, after) {
		switch {
		case errors.Is(err, stream.ErrUnavailable):
			t.endAll() // what they miss cannot be told from what was erased
			return nil
		case err != nil:
			return fmt.Errorf("follow site %s: %w", t.name, err)
		}
		if t.deliver(ctx, ev) != nil {
			return nil // ctx has ended
		}
	}
	return nil
}

// load reads the newest events into the replay buffer.
func (t *site) load(ctx context.Context) error {
	b, err := t.reg.log.Bounds(ctx, t.name)
	if err == nil {
		from := max(b.Low, 1) - 1
		if window := uint64(t.reg.o.Window); b.High > window {
			from = max(from, b.High-window)
		}
		err = t.loadFrom(ctx, from)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failure = err; err == nil {
		t.state = following
	}
	t.signal()
	return err
}

func (t *site) loadFrom(ctx context.Context, after uint64) error {
	t.mu.Lock()
	t.buffer.reset(after)
	t.erased = nil
	t.mu.Unlock()
	for {
		page, b, err := t.reg.log.Read(ctx, t.name, after, loadPage)
		if err != nil {
			return err
		}
		t.mu.Lock()
		if b.Low > after+1 { // retention has removed what was to be read
			t.buffer.reset(b.Low - 1)
		}
		for _, ev := range page {
			t.keep(ev)
		}
		t.learn(b)
		t.sound = b.Epochs.Sound()
		if len(page) < loadPage {
			t.high = b.High
			t.mu.Unlock()
			return nil
		}
		t.mu.Unlock()
		after = page[len(page)-1].ID.Seq
	}
}

// learn notes what a read of the log has told. Callers hold t.mu.
func (t *site) learn(b stream.Bounds) {
	t.epochs, t.limits = b.Epochs, b.Limits
	for seq := range t.erased {
		if seq < b.Low {
			delete(t.erased, seq)
		}
	}
}

// deliver hands one event to the subscriptions of the site.
func (t *site) deliver(ctx context.Context, ev stream.Event) error {
	t.mu.Lock()
	jump := ev.ID.Seq > t.high+1
	t.mu.Unlock()
	if jump {
		if err := t.checkJump(ctx, ev.ID.Seq); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if ev.ID.Seq <= t.high { // it had expired before it came
		return nil
	}
	t.keep(ev)
	t.high = ev.ID.Seq
	t.trim()
	t.schedule()
	t.signal()
	return nil
}

// keep adds an event to the replay buffer. Callers hold t.mu.
func (t *site) keep(ev stream.Event) {
	if ev.Kind == stream.Retract {
		if id, err := stream.RetractedID(ev.Data); err == nil {
			t.withdraw(id.Seq)
		}
	}
	t.buffer.add(stream.NewFrame(ev))
}

// withdraw forgets a retracted signup, so that nobody new gets it. Callers hold t.mu.
func (t *site) withdraw(seq uint64) {
	t.buffer.remove(seq)
	if t.erased == nil {
		t.erased = make(map[uint64]bool)
	}
	t.erased[seq] = true
}

// checkJump finds out why sequences are missing before seq: erased ones are nobody's loss; if retention
// removed them before they were handed out, the site's streams end, and get a gap when they return.
func (t *site) checkJump(ctx context.Context, seq uint64) error {
	b, err := t.reg.log.Bounds(ctx, t.name)
	for err != nil {
		if !sleep(ctx, loadRetry) {
			return ctx.Err()
		}
		b, err = t.reg.log.Bounds(ctx, t.name)
	}
	t.mu.Lock()
	t.learn(b)
	overrun := b.Low > t.high+1
	if overrun {
		t.buffer.reset(seq - 1)
		t.high = seq - 1
	}
	t.mu.Unlock()
	if overrun {
		t.endAll()
	}
	return nil
}

// endAll ends every subscription of the site: each gets a gap when it returns.
func (t *site) endAll() {
	t.reg.counters.overruns.Add(1)
	for _, s := range t.subscriptions() {
		s.End(Overrun)
	}
}

// sleep waits, and returns false when ctx ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
