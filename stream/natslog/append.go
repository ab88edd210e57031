package natslog

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// unkeyed is the last token of the subject of an event without a key.
const unkeyed = "-"

// verbs are the kinds of event in subjects.
var verbs = [...]string{stream.Announce: "signup", stream.Retract: "retract"}

// hashKey returns the form in which a key is stored. It may hold personal data, which an erasure has to remove.
func hashKey(key string) string {
	if key == "" {
		return unkeyed
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// Append publishes the entry, and publishes it again under the same message id while nobody answers. An entry with
// a key may then be called a duplicate of itself.
func (l *Log) Append(ctx context.Context, siteName string, e stream.Entry) (id stream.ID, duplicate bool, err error) {
	if err := checkEntry(e); err != nil {
		return id, false, fmt.Errorf("append: %w", err)
	}
	s, err := l.site(ctx, siteName)
	if err != nil {
		return id, false, fmt.Errorf("append: %w", err)
	}
	key := hashKey(e.Key)
	msg := s.message(e, key)
	err = persist(ctx, func(try context.Context) error {
		begun := time.Now()
		var seq uint64
		seq, duplicate, err = l.publish(try, s, msg, key)
		switch {
		case ctx.Err() != nil: // says nothing about the log
		case err != nil:
			l.health.appendFailed(begun, err)
		case !duplicate:
			l.health.appended()
		}
		if err == nil {
			id = s.reached(seq)
		}
		return err
	})
	if err != nil {
		return stream.ID{}, false, fmt.Errorf("append: %w", err)
	}
	return id, duplicate && key != unkeyed, nil
}

func checkEntry(e stream.Entry) error {
	switch {
	case int(e.Kind) >= len(verbs):
		return fmt.Errorf("unknown kind of event %d", e.Kind)
	case len(e.Data) > stream.MaxData:
		return fmt.Errorf("data of %d bytes; at most %d are stored", len(e.Data), stream.MaxData)
	case len(e.Key) > 160 || strings.ContainsFunc(e.Key, func(r rune) bool { return r < ' ' || r > '~' }):
		return fmt.Errorf("key is not at most 160 bytes of printable ASCII")
	}
	return nil
}

// message returns the entry as a message. The message id makes the server remember the key for the
// duplicates window, also when the event is erased; the expectation, that no event of whatever kind has the key, for as
// long as the event is kept. An entry without a key has a random id, so that it can be published again.
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
	case code(err) != errLastSeq:
		return 0, false, err
	}
	seq, err = l.kept(ctx, s, key)
	if code(err) == jetstream.JSErrCodeMessageNotFound {
		err = errAgain // it has gone since
	}
	return seq, true, err
}

// kept returns the sequence of the kept event with a key.
func (l *Log) kept(ctx context.Context, s *site, key string) (seq uint64, err error) {
	var m stored
	err = l.ask(ctx, "MSG.GET", s.stream, fmt.Sprintf(`{"last_by_subj":"%s*.%s"}`, s.subject, key), &m)
	return m.Message.Seq, err
}

// Find asks for the kept event with the key, and then whether the server remembers the key of one that
// is not kept.
func (l *Log) Find(ctx context.Context, siteName, key string) (id stream.ID, err error) {
	s, err := l.site(ctx, siteName)
	if err != nil {
		return id, fmt.Errorf("find: %w", err)
	}
	if key == "" {
		return id, fmt.Errorf("find: no key: %w", stream.ErrNotFound)
	}
	err = persist(ctx, func(ctx context.Context) error {
		seq, err := l.kept(ctx, s, hashKey(key))
		if code(err) == jetstream.JSErrCodeMessageNotFound {
			seq, err = l.remembered(ctx, s, hashKey(key))
		}
		if err == nil {
			id = s.reached(seq)
		}
		return err
	})
	if err != nil {
		return stream.ID{}, fmt.Errorf("find: %w", err)
	}
	return id, nil
}

// remembered returns the sequence that the server remembers for a key. The only way to ask is to publish: the server looks
// for the message id before it refuses the message (2.15): with one replica for the last message id,
// with several for the value of Nats-Rollup, which does not exist.
func (l *Log) remembered(ctx context.Context, s *site, key string) (seq uint64, err error) {
	msg := nats.NewMsg(s.subject + "find." + key)
	msg.Header.Set(jetstream.MsgIDHeader, key)
	msg.Header.Set(jetstream.MsgRollup, "none")
	msg.Header.Set(jetstream.ExpectedLastMsgIDHeader, rand.Text())
	ack, err := l.js.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0))
	switch {
	case err == nil:
		return ack.Sequence, nil
	case code(err) == errLastID || code(err) == errRollup:
		return 0, stream.ErrNotFound
	}
	return 0, err
}

// Erase has the server overwrite the message in its files before it forgets it.
func (l *Log) Erase(ctx context.Context, siteName string, seq uint64) error {
	s, err := l.site(ctx, siteName)
	if err != nil || seq == 0 {
		return err
	}
	err = persist(ctx, func(ctx context.Context) error {
		question := fmt.Sprintf(`{"seq":%d}`, seq)
		err := l.ask(ctx, "MSG.DELETE", s.stream, question, new(struct{}))
		if code(err) == 0 || passing(err) {
			return err
		}
		if lost := l.ask(ctx, "MSG.GET", s.stream, question, new(stored)); code(lost) == jetstream.JSErrCodeMessageNotFound {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("erase event %d: %w", seq, err)
	}
	return nil
}
