package registry

import (
	"context"
	"errors"
	"fmt"

	"proofstream/stream"
)

// Publish stores a signup of a site, as package signup encodes it. A key, if any, makes a retry harmless. The
// error is the context's or wraps stream.ErrUnavailable, also when the site's reader is far behind.
func (r *Registry) Publish(ctx context.Context, site string, data []byte, key string) (id stream.ID, duplicate bool, err error) {
	if key != "" {
		key = "signup:" + key
	}
	return r.site(site).append(ctx, stream.Entry{Kind: stream.Announce, Data: data, Key: key})
}

// Retract withdraws a signup from every open page and erases it from the log. The error is
// stream.ErrNotFound for an id that this site's log never gave, and for a retraction's own; erasing
// twice is no error. The retraction is stored before the event is erased, so that a retry completes
// what a crash cut short.
func (r *Registry) Retract(ctx context.Context, site string, id stream.ID) error {
	events, b, err := r.log.Read(ctx, site, max(id.Seq, 1)-1, 1)
	if err != nil {
		return err
	}
	if id.Seq == 0 || id.Seq > b.High || b.Epochs.ID(id.Seq) != id && id.Seq >= b.Epochs[0].First {
		return stream.ErrNotFound // an older id than the epoch history may have been this log's
	}
	if len(events) == 0 || events[0].ID.Seq != id.Seq {
		return r.log.Erase(ctx, site, id.Seq) // it was this log's, and is gone; its bytes may not be
	}
	if events[0].Kind != stream.Announce {
		return stream.ErrNotFound
	}
	t := r.site(site)
	retraction, _, err := t.append(ctx, stream.Entry{
		Kind: stream.Retract, Data: stream.RetractData(id), Key: "retract:" + id.String(),
	})
	if err != nil {
		return err
	}
	if err := t.handedOut(ctx, retraction.Seq); err != nil {
		return err
	}
	return r.log.Erase(ctx, site, id.Seq)
}

// append stores an entry, no faster than the site's follower reads: retention must not remove what was not
// handed out.
func (t *site) append(ctx context.Context, e stream.Entry) (stream.ID, bool, error) {
	if err := t.beginPost(ctx); err != nil {
		return stream.ID{}, false, err
	}
	defer t.endPost()
	id, duplicate, err := t.reg.log.Append(ctx, t.name, e)
	if err != nil {
		return stream.ID{}, false, err
	}
	for newest := t.acked.Load(); id.Seq > newest && !t.acked.CompareAndSwap(newest, id.Seq); {
		newest = t.acked.Load()
	}
	return id, duplicate, nil
}

// beginPost waits until the posts under way and the events not yet handed out are fewer than half of
// what retention keeps.
func (t *site) beginPost(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.state == following && t.backPressure() {
		if err := t.waitForChange(ctx); err != nil {
			return fmt.Errorf("%w: the reader of site %s is %d events behind", stream.ErrUnavailable, t.name, t.unsent())
		}
	}
	t.posting++
	return nil
}

func (t *site) endPost() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.posting--
	t.signal()
}

// backPressure says whether a post has to wait. Callers hold t.mu.
func (t *site) backPressure() bool {
	return uint64(t.posting)+t.unsent() >= uint64(max(1, t.limits.Events/2))
}

// handedOut waits until the site's follower, if it has one, has handed out everything up to seq.
func (t *site) handedOut(ctx context.Context, seq uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.state != unfollowed && t.high < seq {
		if err := t.waitForChange(ctx); err != nil {
			return errors.Join(stream.ErrUnavailable, err)
		}
	}
	return nil
}

// waitForChange waits for the site's state, high or posts to change. Callers hold t.mu, which is not held
// meanwhile.
func (t *site) waitForChange(ctx context.Context) error {
	change := t.change()
	t.mu.Unlock()
	defer t.mu.Lock()
	select {
	case <-change:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
