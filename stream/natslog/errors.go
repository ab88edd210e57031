package natslog

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/nats-io/nats.go/jetstream"

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

// apiCode returns the JetStream error code in err, or 0.
func apiCode(err error) jetstream.ErrorCode {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.ErrorCode
	}
	return 0
}

// redact returns an address without the password that it may hold.
func redact(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Redacted()
	}
	return "the given address"
}
