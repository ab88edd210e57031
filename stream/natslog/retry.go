package natslog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

const (
	// attemptTimeout bounds one attempt of a request. The next attempt may find another server.
	attemptTimeout = 2 * time.Second
	// retryDelay is the delay before the next attempt.
	retryDelay = 250 * time.Millisecond
	// retryTimeout bounds all attempts of a call. Elections last up to 10 s.
	retryTimeout = 12 * time.Second
)

// retry calls attempt until it succeeds or fails permanently, for retryTimeout at most, with attemptTimeout each. Its error is the
// context's, stream.ErrNotFound, or wraps stream.ErrUnavailable.
func retry(ctx context.Context, attempt func(context.Context) error) error {
	whole, cancel := context.WithTimeout(ctx, retryTimeout)
	defer cancel()
	for {
		one, cancel := context.WithTimeout(whole, attemptTimeout)
		err := attempt(one)
		cancel()
		switch {
		case err == nil || errors.Is(err, stream.ErrNotFound):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !temporary(err) || !sleep(whole, retryDelay):
			return unavailable(err)
		}
	}
}

// JetStream's error codes on which this package decides.
const (
	// errFull: no space is left in the store.
	errFull jetstream.ErrorCode = 10023
	// errNoStore: the files of a stream cannot be created, as while those of a deleted stream are removed.
	errNoStore jetstream.ErrorCode = 10049
	// errNameTaken: another node creates the stream.
	errNameTaken jetstream.ErrorCode = 10058
	// errLastID: the newest message has another id than the expected one.
	errLastID jetstream.ErrorCode = 10070
	// errRollup: the Nats-Rollup header is refused.
	errRollup jetstream.ErrorCode = 10111
	// errInFlight: the leader has a message with this id, and no majority yet.
	errInFlight jetstream.ErrorCode = 10158
	// errLastSeq: the subject has another last sequence than the expected one.
	errLastSeq = jetstream.JSErrCodeStreamWrongLastSequence
	// errSubjectInFlight: a message on the subject is in flight.
	errSubjectInFlight = jetstream.JSErrCodeStreamWrongLastSequenceConstant
)

// errNotUpToDate says that the server which responded has not applied everything yet.
var errNotUpToDate = errors.New("the log is not up to date yet")

// temporary reports whether another attempt may succeed: err is that of an election, of a lost server or of a slow majority.
func temporary(err error) bool {
	switch errorCode(err) {
	case 0:
	case errInFlight, errSubjectInFlight, errNameTaken, errNoStore:
		return true
	case errFull:
		return false
	}
	if refusal := (*jetstream.APIError)(nil); errors.As(err, &refusal) {
		return refusal.Code == 503
	}
	for _, target := range []error{
		errNotUpToDate, context.DeadlineExceeded, jetstream.ErrNoStreamResponse,
		nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrReconnectBufExceeded,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// errorCode returns JetStream's code of err, 0 when err is not a refusal by JetStream.
func errorCode(err error) jetstream.ErrorCode {
	if refusal := (*jetstream.APIError)(nil); errors.As(err, &refusal) {
		return refusal.ErrorCode
	}
	return 0
}

// unavailable wraps an error of the cluster or of the connection in stream.ErrUnavailable, unless the caller has cancelled its context.
func unavailable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, stream.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", stream.ErrUnavailable, err)
}

// sleep waits for d. It returns false when ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// request sends a request about a stream to JetStream's API, to which the leader of the stream responds, and decodes the response.
func (l *Log) request(ctx context.Context, verb, name, body string, response any) error {
	reply, err := l.nc.RequestWithContext(ctx, "$JS.API.STREAM."+verb+"."+name, []byte(body))
	if err != nil {
		return err
	}
	var refusal struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &refusal); err != nil {
		return err
	}
	if refusal.Error != nil {
		return refusal.Error
	}
	return json.Unmarshal(reply.Data, response)
}
