package natslog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// inform asks the leader of a site's stream about it, and sets the clock by the answer. A filter has the messages
// counted by subject.
func (l *Log) inform(ctx context.Context, name, filter string) (*jetstream.StreamInfo, error) {
	info, sent := new(jetstream.StreamInfo), time.Now()
	question := ""
	if filter != "" {
		question = fmt.Sprintf(`{"subjects_filter":%q}`, filter)
	}
	if err := l.ask(ctx, "INFO", l.opts.Stream+"-"+name, question, info); err != nil {
		return nil, fmt.Errorf("ask for the stream: %w", err)
	}
	l.clock.adjust(sent, time.Now(), info.TimeStamp)
	return info, nil
}

// Bounds asks the leader of the site's stream. Erasing the oldest kept event moves the low watermark past it.
func (l *Log) Bounds(ctx context.Context, siteName string) (stream.Bounds, error) {
	s, err := l.site(ctx, siteName)
	if err != nil {
		return stream.Bounds{}, fmt.Errorf("bounds: %w", err)
	}
	return l.bounds(ctx, s)
}

func (l *Log) bounds(ctx context.Context, s *site) (b stream.Bounds, err error) {
	err = persist(ctx, func(ctx context.Context) error {
		info, err := l.inform(ctx, s.name, s.subject+verbs[stream.Retract]+".*")
		if err != nil {
			return err
		}
		if s.stale(info) {
			return errAgain
		}
		s.note(info)
		b = s.boundsOf(info)
		return nil
	})
	if err != nil {
		return stream.Bounds{}, fmt.Errorf("bounds: %w", err)
	}
	return b, nil
}

func (s *site) boundsOf(info *jetstream.StreamInfo) stream.Bounds {
	state := info.State
	b := stream.Bounds{Low: state.FirstSeq, High: state.LastSeq, Signups: int(state.Msgs), Limits: limits(info.Config)}
	if state.Msgs == 0 {
		b.Low = b.High + 1
	}
	for _, n := range state.Subjects {
		b.Signups -= int(n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.Epochs = s.epochs
	return b
}

// clock is the cluster's, as far as its answers tell.
type clock struct {
	mu     sync.Mutex    // guards offset
	offset time.Duration // what the cluster's is ahead of ours
}

// adjust learns from an answer that was given at a time between two of ours. The offset changes only as far as the answer
// proves it wrong, so that a slow answer does not spoil it.
func (c *clock) adjust(sent, received, given time.Time) {
	if given.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = max(given.Sub(received), min(given.Sub(sent), c.offset))
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset).Truncate(time.Millisecond)
}

// Now returns the time by the servers' clock, which stamps events, as measured with each answer of the cluster.
func (l *Log) Now() time.Time { return l.clock.now() }
