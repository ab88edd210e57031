package natslog

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// migration is a copy of a site under way.
type migration struct {
	log     *Log
	site    *site
	bounds  stream.Bounds
	keys    map[uint64]string // remembered keys by sequence
	begun   time.Time
	events  int
	fillers int
	next    uint64                   // sequence of the next message
	ttl     time.Duration            // of the last event; that of the next is at least as long, so that the oldest expire first
	acks    []jetstream.PubAckFuture // of the messages that are not acknowledged, oldest first
}

// migrate copies a site into a new stream, whose metadata says until the end that it is incomplete. The stream begins at the low watermark,
// or at the oldest remembered key when that is older. Retention by count applies only at the end, when the fillers are gone.
func (l *Log) migrate(ctx context.Context, src Source, name string) (*migration, error) {
	b, err := src.Bounds(ctx, name)
	if err != nil {
		return nil, err
	}
	m := &migration{log: l, bounds: b, keys: map[uint64]string{}, begun: time.Now(), next: b.Low}
	for k, err := range src.Keys(ctx, name) {
		if err != nil {
			return nil, err
		}
		m.keys[k.Seq] = hex.EncodeToString(k.Hash)
		m.next = min(m.next, k.Seq)
	}
	done := withEpochs(l.opts.settings(name, jetstream.StreamConfig{}), b.Epochs.Open(b.High).Trim(b.Low))
	done.AllowMsgTTL, done.FirstSeq = true, m.next
	cfg := done
	cfg.Metadata = maps.Clone(done.Metadata)
	cfg.Metadata[migratingKey] = "true"
	cfg.MaxMsgs = -1
	made, err := l.js.CreateStream(ctx, cfg)
	if err != nil {
		return nil, err
	}
	m.site = &site{name: name, stream: cfg.Name, subject: l.opts.Stream + "." + name + "."}
	if err := m.copy(ctx, src); err != nil {
		return nil, err
	}
	finishing, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	if err := made.Purge(finishing, jetstream.WithPurgeSubject(m.site.subject+erasedKind+".*")); err != nil {
		return nil, err
	}
	_, err = l.js.UpdateStream(finishing, done)
	return m, err
}

// copy publishes every event, and a filler for each sequence without one.
func (m *migration) copy(ctx context.Context, src Source) error {
	for e, err := range src.Events(ctx, m.site.name) {
		if err != nil {
			return err
		}
		if err := m.fill(ctx, e.ID.Seq); err != nil {
			return err
		}
		if err := m.publish(ctx, m.event(e)); err != nil {
			return err
		}
		m.events++
	}
	if err := m.fill(ctx, m.bounds.High+1); err != nil {
		return err
	}
	return m.acknowledged(ctx, 0)
}

// fill publishes fillers for the sequences before until. Each has the key of its erased event, which the server then remembers.
func (m *migration) fill(ctx context.Context, until uint64) error {
	for m.next < until {
		if m.next >= m.bounds.Low {
			m.fillers++
		}
		key := m.keys[m.next]
		msg := nats.NewMsg(m.site.subject + erasedKind + "." + unkeyed)
		if key != "" {
			msg.Header.Set(jetstream.MsgIDHeader, key)
		}
		if err := m.publish(ctx, msg); err != nil {
			return err
		}
	}
	return nil
}

// event returns the message of an event. The message expires when the event would have.
func (m *migration) event(e stream.Record) *nats.Msg {
	key := unkeyed
	if e.KeyHash != nil {
		key = hex.EncodeToString(e.KeyHash)
	}
	msg := nats.NewMsg(m.site.subject + verbs[e.Kind] + "." + key)
	msg.Data = e.Data
	if key != unkeyed {
		msg.Header.Set(jetstream.MsgIDHeader, key)
	}
	msg.Header.Set(timeHeader, strconv.FormatInt(e.Time.UnixMilli(), 10))
	left := m.log.opts.Limits.Age - m.log.Now().Sub(e.Time)
	m.ttl = max(m.ttl, time.Second, left.Truncate(time.Second))
	msg.Header.Set(jetstream.MsgTTLHeader, m.ttl.String())
	return msg
}

// publish publishes a message. The server refuses it unless it gets the next sequence.
func (m *migration) publish(ctx context.Context, msg *nats.Msg) error {
	msg.Header.Set(jetstream.ExpectedLastSeqHeader, strconv.FormatUint(m.next-1, 10))
	ack, err := m.log.js.PublishMsgAsync(msg)
	if err != nil {
		return err
	}
	m.acks = append(m.acks, ack)
	m.next++
	return m.acknowledged(ctx, migrateWindow/2)
}

// acknowledged waits until at most n messages are not acknowledged.
func (m *migration) acknowledged(ctx context.Context, n int) error {
	for ; len(m.acks) > n; m.acks = m.acks[1:] {
		want := m.next - uint64(len(m.acks))
		select {
		case ack := <-m.acks[0].Ok():
			if ack.Sequence != want || ack.Duplicate {
				return fmt.Errorf("event %d was stored as %d; delete stream %s and start again", want, ack.Sequence, m.site.stream)
			}
		case err := <-m.acks[0].Err():
			return fmt.Errorf("publish event %d: %w", want, err)
		case <-time.After(retryTimeout):
			return fmt.Errorf("publish event %d: %w", want, context.DeadlineExceeded)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
