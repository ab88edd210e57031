package natslog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// unkeyed is the last token of the subject of an event without a key.
const unkeyed = "-"

// verbs are the kinds of event in subjects.
var verbs = [...]string{stream.Announce: "signup", stream.Retract: "retract"}

// hashKey returns the last token of the subject of an event with a key: stream.HashKey in hexadecimal digits, or unkeyed.
func hashKey(key string) string {
	if key == "" {
		return unkeyed
	}
	return hex.EncodeToString(stream.HashKey(key))
}

// Append publishes the entry, and publishes it again under the same message id while no server responds. It then may report an
// entry with a key as a duplicate although this call has stored it. It returns after 12 s at the latest.
func (l *Log) Append(ctx context.Context, siteName string, e stream.Entry) (id stream.ID, duplicate bool, err error) {
	if err := e.Check(); err != nil {
		return id, false, fmt.Errorf("append: %w", err)
	}
	s, err := l.site(ctx, siteName)
	if err != nil {
		return id, false, fmt.Errorf("append: %w", err)
	}
	key := hashKey(e.Key)
	msg := s.message(e, key)
	err = retry(ctx, func(try context.Context) error {
		begun := time.Now()
		var seq uint64
		seq, duplicate, err = l.publish(try, s, msg, key)
		switch {
		case ctx.Err() != nil: // the caller's own context says nothing about the log
		case err != nil:
			l.health.appendFailed(begun, err)
		case !duplicate:
			l.health.appended()
		}
		if err == nil {
			id = s.advance(seq)
		}
		return err
	})
	if err != nil {
		return stream.ID{}, false, fmt.Errorf("append: %w", err)
	}
	return id, duplicate && key != unkeyed, nil
}

// message returns the entry as a message. The message id makes the server remember the key for the
// duplicates window, also when the event is erased. The expected last sequence makes it refuse a second event with the key, of any
// kind, for as long as the event is kept. An entry without a key has a random id, so that it can be published again.
func (s *site) message(e stream.Entry, key string) *nats.Msg {
	msg := nats.NewMsg(s.subject + verbs[e.Kind] + "." + key)
	msg.Data = e.Data
	if key == unkeyed {
		msg.Header.Set(jetstream.MsgIDHeader, rand.Text())
		return msg
	}
	msg.Header.Set(jetstream.MsgIDHeader, key)
	msg.Header.Set(jetstream.ExpectedLastSubjSeqHeader, "0")
	msg.Header.Set(jetstream.ExpectedLastSubjSeqSubjHeader, s.subject+"*."+key)
	return msg
}

// publish publishes a message once, and finds the event that has the key already.
func (l *Log) publish(ctx context.Context, s *site, msg *nats.Msg, key string) (seq uint64, duplicate bool, err error) {
	ack, err := l.js.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0))
	switch {
	case err == nil:
		return ack.Sequence, ack.Duplicate, nil
	case errorCode(err) != errLastSeq:
		return 0, false, err
	}
	seq, err = l.kept(ctx, s, key)
	if errorCode(err) == jetstream.JSErrCodeMessageNotFound {
		err = errNotUpToDate // removed in between: retry
	}
	return seq, true, err
}

// kept returns the sequence of the kept event with a key.
func (l *Log) kept(ctx context.Context, s *site, key string) (seq uint64, err error) {
	var m stored
	err = l.request(ctx, "MSG.GET", s.stream, fmt.Sprintf(`{"last_by_subj":"%s*.%s"}`, s.subject, key), &m)
	return m.Message.Seq, err
}

// Find returns the id of the kept event with the key, or else of the event whose key the server remembers. An empty key is not found.
func (l *Log) Find(ctx context.Context, siteName, key string) (id stream.ID, err error) {
	s, err := l.site(ctx, siteName)
	if err != nil {
		return id, fmt.Errorf("find: %w", err)
	}
	if key == "" {
		return id, fmt.Errorf("find: no key: %w", stream.ErrNotFound)
	}
	err = retry(ctx, func(ctx context.Context) error {
		seq, err := l.kept(ctx, s, hashKey(key))
		if errorCode(err) == jetstream.JSErrCodeMessageNotFound {
			seq, err = l.remembered(ctx, s, hashKey(key))
		}
		if err == nil {
			id = s.advance(seq)
		}
		return err
	})
	if err != nil {
		return stream.ID{}, fmt.Errorf("find: %w", err)
	}
	return id, nil
}

// remembered returns the sequence that the server remembers for a key. The error is stream.ErrNotFound when it remembers none.
//
// Only a publication tells. This one is always refused: with one replica for its expected last message id, with several for its
// value of Nats-Rollup, which does not exist. Before it refuses, the server compares the message id (nats-server 2.15).
func (l *Log) remembered(ctx context.Context, s *site, key string) (seq uint64, err error) {
	msg := nats.NewMsg(s.subject + "find." + key)
	msg.Header.Set(jetstream.MsgIDHeader, key)
	msg.Header.Set(jetstream.MsgRollup, "none")
	msg.Header.Set(jetstream.ExpectedLastMsgIDHeader, rand.Text())
	ack, err := l.js.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0))
	switch {
	case err == nil:
		return ack.Sequence, nil
	case errorCode(err) == errLastID || errorCode(err) == errRollup:
		return 0, stream.ErrNotFound
	}
	return 0, err
}

// Erase makes the server overwrite the message in its files before it removes it.
func (l *Log) Erase(ctx context.Context, siteName string, seq uint64) error {
	s, err := l.site(ctx, siteName)
	if err != nil || seq == 0 {
		return err
	}
	err = retry(ctx, func(ctx context.Context) error {
		body := fmt.Sprintf(`{"seq":%d}`, seq)
		err := l.request(ctx, "MSG.DELETE", s.stream, body, new(struct{}))
		if errorCode(err) == 0 || temporary(err) {
			return err
		}
		if got := l.request(ctx, "MSG.GET", s.stream, body, new(stored)); errorCode(got) == jetstream.JSErrCodeMessageNotFound {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("erase event %d: %w", seq, err)
	}
	return nil
}
