package natslog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// describe requests the description of a site's stream from its leader, and adjusts the clock by the response. With a filter, the
// description counts the messages of each subject that fits it.
func (l *Log) describe(ctx context.Context, name, filter string) (*jetstream.StreamInfo, error) {
	info, sent := new(jetstream.StreamInfo), time.Now()
	body := ""
	if filter != "" {
		body = fmt.Sprintf(`{"subjects_filter":%q}`, filter)
	}
	if err := l.request(ctx, "INFO", l.opts.Stream+"-"+name, body, info); err != nil {
		return nil, fmt.Errorf("describe the stream: %w", err)
	}
	l.clock.adjust(sent, time.Now(), info.TimeStamp)
	return info, nil
}

// Bounds returns the bounds that the leader of the site's stream reports. Erasing the oldest kept event moves the low watermark past it.
func (l *Log) Bounds(ctx context.Context, siteName string) (stream.Bounds, error) {
	s, err := l.site(ctx, siteName)
	if err != nil {
		return stream.Bounds{}, fmt.Errorf("bounds: %w", err)
	}
	return l.bounds(ctx, s)
}

func (l *Log) bounds(ctx context.Context, s *site) (b stream.Bounds, err error) {
	err = retry(ctx, func(ctx context.Context) error {
		info, err := l.describe(ctx, s.name, s.subject+verbs[stream.Retract]+".*")
		if err != nil {
			return err
		}
		if s.stale(info) {
			return errNotUpToDate
		}
		s.observe(info)
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

// Exists reports whether a site has a stream. Unlike the methods of stream.Log it creates none.
func (l *Log) Exists(ctx context.Context, site string) (bool, error) {
	if err := stream.CheckSite(site); err != nil {
		return false, err
	}
	err := retry(ctx, func(ctx context.Context) error {
		_, err := l.describe(ctx, site, "")
		return err
	})
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for the stream of site %s: %w", site, err)
	}
	return true, nil
}
