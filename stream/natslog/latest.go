package natslog

import (
	"context"
	"fmt"
	"slices"

	"proofstream/stream"
)

// Latest reads back from before in growing windows of sequences, of at most 4,096.
func (l *Log) Latest(ctx context.Context, siteName string, before uint64, limit int) ([]stream.Event, stream.Bounds, error) {
	s, err := l.site(ctx, siteName)
	if err != nil {
		return nil, stream.Bounds{}, fmt.Errorf("latest: %w", err)
	}
	b, err := l.bounds(ctx, s)
	if before == 0 || before > b.High {
		before = b.High + 1
	}
	var newest []stream.Event
	for window := uint64(limit) + 16; err == nil && len(newest) < limit && before > b.Low; window = min(4*window, 4096) {
		first := before - min(window, before-b.Low)
		var r batch
		if r, err = l.window(ctx, s, first, before-1); err == nil {
			slices.Reverse(r.events)
			newest, before = append(newest, r.events...), first
		}
	}
	if err != nil {
		return nil, b, fmt.Errorf("latest: %w", err)
	}
	now, err := l.bounds(ctx, s)
	if err != nil {
		return nil, b, fmt.Errorf("latest: %w", err)
	}
	b.Low = now.Low
	newest = slices.DeleteFunc(newest, func(e stream.Event) bool { return e.ID.Seq < b.Low })
	return newest[:min(limit, len(newest))], b, nil
}

// window returns the signups with sequences from first to last.
func (l *Log) window(ctx context.Context, s *site, first, last uint64) (batch, error) {
	size := int(last - first + 1)
	r, err := l.batch(ctx, s, verbs[stream.Announce]+".*", first-1, size)
	if err == nil && r.last < last {
		err = l.complete(ctx, s, verbs[stream.Announce]+".*", last, size, &r)
	}
	r.events = slices.DeleteFunc(r.events, func(e stream.Event) bool { return e.ID.Seq > last })
	return r, err
}
