package natslog

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

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

// redact returns a list of addresses without the user, password or token that each may hold.
func redact(list string) string {
	var shown []string
	for address := range strings.SplitSeq(list, ",") {
		if !strings.Contains(address, "://") {
			address = "nats://" + address
		}
		u, err := url.Parse(strings.TrimSpace(address))
		if err != nil {
			return "the given address"
		}
		shown = append(shown, u.Scheme+"://"+u.Host)
	}
	return strings.Join(shown, ",")
}
