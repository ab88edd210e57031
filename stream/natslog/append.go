package natslog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

const (
	ackPatience = 5 * time.Second        // how long a publish waits for its acknowledgement
	tryPatience = 2 * time.Second        // the same in a cluster, where the next try may find another node
	retryPause  = 250 * time.Millisecond // before that next try
	patience    = 12 * time.Second       // how long an Append tries in all: elections last up to 10 s
)

// Append stores a draft. In a cluster it publishes again, under the same message id, while nobody
// answers; a keyed draft may then be called a duplicate of itself.
func (l *Log) Append(ctx context.Context, d stream.Draft) (seq uint64, duplicate bool, err error) {
	if err := l.opened(); err != nil {
		return 0, false, err
	}
	msg, err := l.message(d)
	if err != nil {
		return 0, false, fmt.Errorf("append: %w", err)
	}
	if seq, ok := l.moved.find(msg.Header.Get(jetstream.MsgIDHeader)); ok && d.Key != "" {
		return seq, true, nil
	}
	publish := l.publishOnce
	if !l.opts.embedded() {
		publish = l.publishUntilAnswered
	}
	ack, err := publish(ctx, msg)
	if err != nil {
		return 0, false, fmt.Errorf("append: %w", err)
	}
	return ack.Sequence, ack.Duplicate && d.Key != "", nil
}

// message is the draft as a message. Its id spans the whole stream, hence the site; the full stop
// keeps a space at the end of the key from being lost as that of a header.
func (l *Log) message(d stream.Draft) (*nats.Msg, error) {
	subject, err := l.subject(d.Site, d.Kind)
	if err != nil {
		return nil, err
	}
	msg := &nats.Msg{Subject: subject, Data: d.Data}
	switch {
	case d.Key != "":
		msg.Header = nats.Header{jetstream.MsgIDHeader: {d.Site + "/" + d.Key + "."}}
	case !l.opts.embedded():
		msg.Header = nats.Header{jetstream.MsgIDHeader: {rand.Text()}}
	}
	return msg, nil
}

// publishOnce publishes to the server in this process, which answers at once or not at all.
func (l *Log) publishOnce(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	good, trouble := l.state.good()
	if trouble != nil {
		return nil, unavailable(trouble)
	}
	try, cancel := context.WithTimeout(ctx, ackPatience)
	defer cancel()
	defer context.AfterFunc(good, cancel)()
	ack, err := l.js.PublishMsg(try, msg, jetstream.WithRetryAttempts(0))
	if err == nil {
		err = l.syncName()
	}
	switch {
	case err == nil:
		return ack, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case good.Err() != nil:
		return nil, unavailable(l.state.why())
	}
	l.state.worsen(err)
	return nil, unavailable(err)
}

// publishUntilAnswered publishes to a cluster, again and again while nobody leads the stream.
func (l *Log) publishUntilAnswered(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	whole, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		begun := time.Now()
		try, cancel := context.WithTimeout(whole, tryPatience)
		ack, err := l.js.PublishMsg(try, msg, jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			if !ack.Duplicate { // else it was stored before, and nothing now
				l.state.acknowledged()
			}
			return ack, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		l.state.failed(begun, err)
		if !passing(err) || !pause(whole, retryPause) {
			return nil, unavailable(err)
		}
	}
}

// passing says whether err is that of an election, of a node that went away, or of a majority that is slow.
func passing(err error) bool {
	var answer *jetstream.APIError
	if errors.As(err, &answer) {
		return answer.Code == 503 && answer.ErrorCode != errFull || answer.ErrorCode == errPending
	}
	return errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrDisconnected) ||
		errors.Is(err, nats.ErrReconnectBufExceeded)
}

const (
	errFull    jetstream.ErrorCode = 10023 // JetStream's code for a store that has no room left
	errPending jetstream.ErrorCode = 10158 // that for a message that the leader has already, and no majority yet
)

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
