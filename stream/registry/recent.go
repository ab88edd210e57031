package registry

import (
	"context"
	"slices"
	"time"

	"proofstream/stream"
)

// MostRecent is how many of the newest signups Recent and Join return at most.
const MostRecent = 20

// recent is the result of a read of the newest signups. It never changes.
type recent struct {
	frames []*stream.Frame // the newest signups up to high, oldest first, at most MostRecent
	high   uint64
	epochs stream.Epochs
	expire time.Time // when the oldest of them is no longer kept
	valid  bool
}

// newest returns the newest n frames, oldest first.
func (l recent) newest(n int) []*stream.Frame {
	return slices.Clone(l.frames[max(0, len(l.frames)-n):])
}

// latest returns the newest signups of the log. It keeps the result until the site has a new event or a signup expires, because thousands of
// subscribers may connect at once.
func (t *site) latest(ctx context.Context) (recent, error) {
	t.mu.Lock()
	l := t.recent
	current := l.valid && l.high == t.newest() && t.reg.log.Now().Before(l.expire)
	t.mu.Unlock()
	if current {
		return l, nil
	}
	l, err := t.readLatest(ctx)
	if err != nil {
		return recent{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l.frames = slices.DeleteFunc(l.frames, func(f *stream.Frame) bool { return t.erased[f.Seq()] })
	l.valid = l.high == t.high // otherwise a retraction may not have been delivered yet
	t.recent = l
	return l, nil
}

// readLatest reads the newest signups from the log.
func (t *site) readLatest(ctx context.Context) (l recent, err error) {
	err = t.reg.read(ctx, func() error {
		events, b, err := t.reg.log.Latest(ctx, t.name, 0, MostRecent)
		if err != nil {
			return err
		}
		l = recent{high: b.High, epochs: b.Epochs, expire: t.reg.log.Now().Add(b.Limits.Age)}
		for _, ev := range slices.Backward(events) {
			l.frames = append(l.frames, stream.NewFrame(ev))
		}
		if len(l.frames) > 0 {
			l.expire = l.frames[0].Time().Add(b.Limits.Age)
		}
		return nil
	})
	return l, err
}

// Recent returns the newest n signups of a site, at most MostRecent, oldest first, and the cursor of a client that has them. It reads the
// log, so that it reflects every post and erasure that any node has acknowledged. The error is the context's or wraps
// stream.ErrUnavailable.
func (r *Registry) Recent(ctx context.Context, site string, n int) ([]*stream.Frame, stream.ID, error) {
	l, err := r.site(site).readLatest(ctx)
	if err != nil {
		return nil, stream.ID{}, err
	}
	return l.newest(n), l.epochs.Cursor(l.high), nil
}
