package sqlitelog

import (
	"context"
	"fmt"
	"iter"
	"time"

	"proofstream/stream"
)

const (
	followPage = 256
	retryRead  = time.Second // after a read that did not succeed
)

// errLost ends the followers of a site in which damage was found: they cannot tell what they miss.
var errLost = fmt.Errorf("%w: damage was found in the log", stream.ErrUnavailable)

// Follow yields kept events after a sequence, and waits for more. It ends with an error when the log is
// closed, or when damage is found in what it was to yield.
func (l *Log) Follow(ctx context.Context, name string, after uint64) iter.Seq2[stream.Event, error] {
	return func(yield func(stream.Event, error) bool) {
		err := l.follow(ctx, name, after, func(e stream.Event) bool { return yield(e, nil) })
		if err != nil && ctx.Err() == nil {
			yield(stream.Event{}, fmt.Errorf("follow site %s: %w", name, err))
		}
	}
}

// follow calls yield until that returns false or ctx ends, and then returns nil.
func (l *Log) follow(ctx context.Context, name string, after uint64, yield func(stream.Event) bool) error {
	s, err := l.site(ctx, name)
	if err != nil {
		return err
	}
	for lost := lostUpTo(s.history); ctx.Err() == nil; {
		if s, err = l.site(ctx, name); err != nil {
			return err
		}
		moved := s.moved // before the read, so that nothing is missed between the two
		var retry <-chan time.Time
		if s.high > after {
			events, b, err := l.Read(ctx, name, after, followPage)
			switch {
			case err == nil && lostUpTo(b.Epochs) != lost:
				return errLost
			case err != nil:
				moved, retry = nil, time.After(retryRead)
			}
			for _, e := range events {
				if !yield(e) {
					return nil
				}
				after = e.ID.Seq
			}
			if len(events) == followPage {
				continue
			}
		}
		select {
		case <-moved:
		case <-retry:
		case <-ctx.Done():
		case <-l.closed:
			return errStopped
		}
	}
	return nil
}

// lostUpTo returns the first sequence that no known damage has touched.
func lostUpTo(h stream.Epochs) uint64 {
	for i := len(h) - 1; i > 0; i-- {
		if h[i-1].Lost {
			return h[i].First
		}
	}
	return 0
}
