package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Poster appends events to the log, no faster than the registry follows: the retention must not
// remove what has not been handed out. Its zero value is not usable; set Log and Registry.
type Poster struct {
	Log      Log
	Registry *Registry

	inFlight atomic.Int64
}

// gatePause is the time between two looks at a registry that is far behind.
const gatePause = 2 * time.Millisecond

// Post stores a checked signup of a site; its time is now. A key, if any, makes a retry harmless.
// The error wraps ErrUnavailable, also when the registry is far behind, or is the context's.
func (p *Poster) Post(ctx context.Context, site string, s Signup, key string) (id ID, duplicate bool, err error) {
	if key != "" {
		key = "signup:" + key
	}
	return p.append(ctx, Draft{Site: site, Kind: Announce, Data: s.Data(time.Now()), Key: key})
}

// Retract withdraws a signup from every open page and erases it from the log. The error is
// ErrNotFound for an id that this log never gave, and for another site's or a retraction's own
// while kept; erasing twice is no error. The retraction is stored before the event is erased, so
// that a retry completes what a crash cut short.
func (p *Poster) Retract(ctx context.Context, site string, id ID) error {
	state, err := p.Log.State(ctx)
	if err != nil {
		return err
	}
	if id.Seq == 0 || id.Seq > state.Last || p.Log.Chain().ID(id.Seq) != id {
		return ErrNotFound
	}
	ev, err := p.Log.Get(ctx, id.Seq)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil // it was this log's, and is gone
	case err != nil:
		return err
	case ev.Site != site || ev.Kind != Announce:
		return ErrNotFound
	}
	retraction, _, err := p.append(ctx, Draft{
		Site: site, Kind: Retract, Data: RetractData(id), Key: "retract:" + id.String(),
	})
	if err != nil {
		return err
	}
	if err := p.handedOut(ctx, retraction.Seq); err != nil {
		return err
	}
	return p.Log.Erase(ctx, id.Seq)
}

func (p *Poster) append(ctx context.Context, d Draft) (ID, bool, error) {
	if err := p.enter(ctx); err != nil {
		return ID{}, false, err
	}
	defer p.inFlight.Add(-1)
	seq, duplicate, err := p.Log.Append(ctx, d)
	if err != nil {
		return ID{}, false, err
	}
	p.Registry.expect(seq)
	return p.Log.Chain().ID(seq), duplicate, nil
}

// enter waits until the events on their way and those not yet handed out are fewer than half of
// what the retention keeps.
func (p *Poster) enter(ctx context.Context) error {
	limit := int64(max(1, p.Registry.o.Retain/2))
	for {
		if p.inFlight.Add(1)+int64(p.behind()) <= limit {
			return nil
		}
		p.inFlight.Add(-1)
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%w: its reader is %d events behind", ErrUnavailable, p.behind())
		}
	}
}

// behind returns how many sequences the registry lacks.
func (p *Poster) behind() uint64 {
	head := p.Registry.head.Load()
	return max(p.Registry.pending.Load(), max(p.Registry.stored.Load(), head)-head)
}

// handedOut waits until the registry has handed out everything up to seq.
func (p *Poster) handedOut(ctx context.Context, seq uint64) error {
	for p.Registry.head.Load() < seq {
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%w: its reader is behind", ErrUnavailable)
		}
	}
	return nil
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(gatePause):
		return nil
	}
}

// RetractedID returns the id that a retraction's data names.
func RetractedID(data []byte) (ID, error) {
	id, ok := bytes.CutPrefix(data, []byte(`{"id":"`))
	id, end := bytes.CutSuffix(id, []byte(`"}`))
	if !ok || !end {
		return ID{}, ErrMalformedID
	}
	return ParseID(string(id))
}
