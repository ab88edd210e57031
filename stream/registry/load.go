package registry

import (
	"context"

	"proofstream/stream"
)

// loadPage is how many events one read takes at most while a site is loaded.
const loadPage = 256

// load reads the newest events into the replay buffer, at most Options.Window, and makes the site a followed one.
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

// loadFrom reads everything after a sequence into the replay buffer.
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
		if b.Low > after+1 { // retention has removed events after it
			t.buffer.reset(b.Low - 1)
		}
		for _, ev := range page {
			t.keep(ev)
		}
		t.setBounds(b)
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

// setBounds takes over what a read of the log has returned. Callers hold t.mu.
func (t *site) setBounds(b stream.Bounds) {
	t.epochs, t.limits = b.Epochs, b.Limits
	for seq := range t.erased {
		if seq < b.Low {
			delete(t.erased, seq)
		}
	}
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

// withdraw removes a retracted signup from memory, so that no further subscriber gets it. Callers hold t.mu.
func (t *site) withdraw(seq uint64) {
	t.buffer.remove(seq)
	if t.erased == nil {
		t.erased = make(map[uint64]bool)
	}
	t.erased[seq] = true
}
