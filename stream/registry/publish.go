package registry

import (
	"context"
	"errors"
	"fmt"

	"proofstream/stream"
)

// Publish stores a signup of a site. The data is what signup.Signup.Data returns, at most stream.MaxData bytes. The key makes a retry
// harmless; it is empty or at most 128 bytes of printable ASCII. The error is the context's or wraps stream.ErrUnavailable. Publish waits
// while the site's follower is behind by half of what retention keeps.
func (r *Registry) Publish(ctx context.Context, site string, data []byte, key string) (id stream.ID, duplicate bool, err error) {
	if key != "" {
		key = publishKey(key)
	}
	return r.site(site).append(ctx, stream.Entry{Kind: stream.Announce, Data: data, Key: key})
}

// publishKey returns the entry's key of a signup that was published with key. Retractions have keys of another form.
func publishKey(key string) string { return "signup:" + key }

// RetractKey retracts the signup that was published with key, and returns its id. The error is stream.ErrNotFound when the site's log does not
// remember the key; otherwise it is that of Retract.
func (r *Registry) RetractKey(ctx context.Context, site, key string) (stream.ID, error) {
	id, err := r.log.Find(ctx, site, publishKey(key))
	if err != nil {
		return stream.ID{}, err
	}
	return id, r.Retract(ctx, site, id)
}

// Retract withdraws a signup from every open page and erases it from the log. The error is stream.ErrNotFound for an id that this site's
// log never gave, and for the id of a retraction; otherwise it is the context's or wraps stream.ErrUnavailable. Retracting a signup
// again is no error. The retraction is stored before the event is erased, so that a retry completes what a crash interrupted.
func (r *Registry) Retract(ctx context.Context, site string, id stream.ID) error {
	events, b, err := r.log.Read(ctx, site, max(id.Seq, 1)-1, 1)
	if err != nil {
		return err
	}
	if id.Seq == 0 || id.Seq > b.High || b.Epochs.ID(id.Seq) != id && id.Seq >= b.Epochs[0].First {
		return stream.ErrNotFound // an id from before the epoch history may have been this log's
	}
	if len(events) == 0 || events[0].ID.Seq != id.Seq {
		return r.log.Erase(ctx, site, id.Seq) // the event is gone, but its bytes may not be
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
	if err := t.waitDelivered(ctx, retraction.Seq); err != nil {
		return err
	}
	return r.log.Erase(ctx, site, id.Seq)
}

// append stores an entry. It applies back-pressure: retention must not remove what was not delivered.
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

// beginPost counts a post under way, and waits before that while there is back-pressure. The error wraps stream.ErrUnavailable.
func (t *site) beginPost(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.state == following && t.backPressure() {
		if err := t.waitForChange(ctx); err != nil {
			return fmt.Errorf("%w: fan-out of site %s is %d events behind", stream.ErrUnavailable, t.name, t.undelivered())
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

// backPressure reports whether the posts under way and the undelivered events are half of what retention keeps, or more. Callers hold
// t.mu.
func (t *site) backPressure() bool {
	return uint64(t.posting)+t.undelivered() >= uint64(max(1, t.limits.Events/2))
}

// waitDelivered waits until the site's follower, if it has one, has delivered everything up to seq.
func (t *site) waitDelivered(ctx context.Context, seq uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.state != unfollowed && t.high < seq {
		if err := t.waitForChange(ctx); err != nil {
			return errors.Join(stream.ErrUnavailable, err)
		}
	}
	return nil
}

// waitForChange waits until the site's state, high or posting changes. Callers hold t.mu, which it releases meanwhile.
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
