package natslog

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"proofstream/stream"
)

// unavailable marks err, which came from the server or the way there, as stream.ErrUnavailable,
// unless the caller's own context is why.
func unavailable(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, stream.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", stream.ErrUnavailable, err)
}

// redact returns an address without the password that it may hold.
func redact(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Redacted()
	}
	return "the given address"
}
