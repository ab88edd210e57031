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
	tryPatience = 2 * time.Second        // how long one question waits: the next may find another server
	retryPause  = 250 * time.Millisecond // before that next one
	patience    = 12 * time.Second       // how long a call tries in all: elections last up to 10 s
)

// persist calls try until it succeeds or fails for good, through an election of up to 10 s. Its error
// is the context's or wraps stream.ErrUnavailable.
func persist(ctx context.Context, try func(context.Context) error) error {
	whole, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		one, cancel := context.WithTimeout(whole, tryPatience)
		err := try(one)
		cancel()
		switch {
		case err == nil || errors.Is(err, stream.ErrNotFound):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !passing(err) || !pause(whole, retryPause):
			return unavailable(err)
		}
	}
}

// JetStream's error codes on which this package decides.
const (
	errFull      jetstream.ErrorCode = 10023 // the store has no room left
	errNoStore   jetstream.ErrorCode = 10049 // the files of a stream cannot be created, as while those of a deleted one are removed
	errNameTaken jetstream.ErrorCode = 10058 // another node creates the stream
	errLastID    jetstream.ErrorCode = 10070 // the newest message has another id
	errRollup    jetstream.ErrorCode = 10111 // the Nats-Rollup header is refused
	errInFlight  jetstream.ErrorCode = 10158 // the leader has a message with this id, and no majority yet
	errLastSeq                       = jetstream.JSErrCodeStreamWrongLastSequence
	errSubjectIn                     = jetstream.JSErrCodeStreamWrongLastSequenceConstant // a message on the subject is in flight
)

// errAgain says that a question is worth asking again.
var errAgain = errors.New("the log is not up to date yet")

// passing says whether err is that of an election, of a server that went away, or of a majority that is slow.
func passing(err error) bool {
	switch code(err) {
	case 0:
	case errInFlight, errSubjectIn, errNameTaken, errNoStore:
		return true
	case errFull:
		return false
	}
	if answer := (*jetstream.APIError)(nil); errors.As(err, &answer) {
		return answer.Code == 503
	}
	for _, target := range []error{
		errAgain, context.DeadlineExceeded, jetstream.ErrNoStreamResponse,
		nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrReconnectBufExceeded,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// code returns JetStream's code for err, or 0.
func code(err error) jetstream.ErrorCode {
	if answer := (*jetstream.APIError)(nil); errors.As(err, &answer) {
		return answer.ErrorCode
	}
	return 0
}

// unavailable marks err, which came from the cluster or the way there, as stream.ErrUnavailable,
// unless the caller's own context is why.
func unavailable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, stream.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", stream.ErrUnavailable, err)
}

// pause waits, and returns false when ctx ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ask puts a question to JetStream's API, which the leader of the stream answers, and decodes the answer.
func (l *Log) ask(ctx context.Context, verb, name string, question string, answer any) error {
	reply, err := l.nc.RequestWithContext(ctx, "$JS.API.STREAM."+verb+"."+name, []byte(question))
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
	return json.Unmarshal(reply.Data, answer)
}
