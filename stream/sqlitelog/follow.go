package sqlitelog

import (
	"context"
	"fmt"
	"iter"
	"time"

	"proofstream/stream"
)

const (
	// followPage is how many events a follower reads at once at most.
	followPage = 256
	// readRetryDelay is the delay before a follower repeats a read that failed.
	readRetryDelay = time.Second
)

// errLost ends the followers of a site in which damage was found: a missing event may not have been erased.
var errLost = fmt.Errorf("%w: damage was found in the log", stream.ErrUnavailable)

// Follow yields the kept events after a sequence, and waits for more. It ends with an error that wraps stream.ErrUnavailable when the log is
// closed, and when damage was found in the site.
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
	for sound := s.history.Sound(); ctx.Err() == nil; {
		if s, err = l.site(ctx, name); err != nil {
			return err
		}
		moved := s.moved // before the read, so that no commit between the two is missed
		var retry <-chan time.Time
		if s.high > after {
			events, history, err := l.newer(ctx, name, s, after)
			switch {
			case err == nil && history.Sound() != sound:
				return errLost
			case err != nil:
				moved, retry = nil, time.After(readRetryDelay)
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

// newer returns the kept events after a sequence, at most followPage, and the epoch history. They need not be read when the newest commit has
// appended just these, as it has for a follower that keeps up.
func (l *Log) newer(ctx context.Context, name string, s *site, after uint64) ([]stream.Event, stream.Epochs, error) {
	if e := s.appended; len(e) > 0 && e[0].ID.Seq == after+1 && s.low <= after+1 && e[len(e)-1].ID.Seq == s.high {
		return e, s.history, nil
	}
	events, b, err := l.Read(ctx, name, after, followPage)
	return events, b.Epochs, err
}
