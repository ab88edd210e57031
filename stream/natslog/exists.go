package natslog

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Exists says whether a site has a stream. Unlike the methods of stream.Log it creates none.
func (l *Log) Exists(ctx context.Context, site string) (bool, error) {
	if err := checkSite(site); err != nil {
		return false, err
	}
	err := persist(ctx, func(ctx context.Context) error {
		_, err := l.inform(ctx, site, "")
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
