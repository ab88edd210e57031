package natslog

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// Source is an embedded log that is copied to the cluster. Nobody writes to it meanwhile.
type Source interface {
	// Sites returns the names of all sites.
	Sites(ctx context.Context) ([]string, error)
	// Bounds returns the bounds of a site's log.
	Bounds(ctx context.Context, site string) (stream.Bounds, error)
	// Events yields every kept event, oldest first.
	Events(ctx context.Context, site string) iter.Seq2[SourceEvent, error]
	// Keys yields every remembered key, also of erased events.
	Keys(ctx context.Context, site string) iter.Seq2[SourceKey, error]
}

// SourceEvent is an event of a Source. KeyHash is the first 16 bytes of the SHA-256 of its key, or nil.
type SourceEvent struct {
	stream.Event
	KeyHash []byte
}

// SourceKey is a key that a Source remembers, with the sequence of its event.
type SourceKey struct {
	Hash []byte // the first 16 bytes of its SHA-256
	Seq  uint64
}

const (
	migrateWindow = 256              // messages on their way at once
	stalledFor    = 10 * time.Second // after which a copy that makes no progress is started again
	filler        = "erased"         // instead of the kind of event, for a message that only uses a sequence up
)

// Migrate copies every site of src that has no stream here: ids, times, cursors and keys stay valid, and events
// expire when they would have. The source stays as it is. A site whose stream exists is left alone, with a log line; one
// whose copy was interrupted is copied again; one that another node is copying is waited for.
func (l *Log) Migrate(ctx context.Context, src Source) error {
	names, err := src.Sites(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	for _, name := range names {
		if err := l.migrateSite(ctx, src, name); err != nil {
			return fmt.Errorf("migrate site %s: %w", name, err)
		}
	}
	return nil
}

// migrateSite tries until the site has a stream that is complete.
func (l *Log) migrateSite(ctx context.Context, src Source, name string) error {
	say := l.waiting("the cluster does not take the copy of a site yet; waiting for it", "site", name)
	var seen copying
	for {
		copied, err := l.tryMigrate(ctx, src, name, &seen)
		switch {
		case err == nil:
			return l.copied(name, copied)
		case ctx.Err() != nil:
			return ctx.Err()
		case !passing(err) && !errors.Is(err, errMigrating):
			return err
		}
		say(err.Error())
		pause(ctx, time.Second)
	}
}

// copied logs how a site came to have a stream.
func (l *Log) copied(name string, c *migration) error {
	if c == nil {
		l.opts.Logger.Info("the site has a stream already: its events in the embedded log are not copied, and stay as they are", "site", name)
		return nil
	}
	l.opts.Logger.Info("copied the site from the embedded log to the cluster; every event keeps its id",
		"site", name, "events", c.events, "erased", c.fillers, "low", c.bounds.Low, "high", c.bounds.High, "took", time.Since(c.begun).Round(time.Millisecond))
	return nil
}

// copying is what was last seen of a copy by another node.
type copying struct {
	created time.Time
	last    uint64
	since   time.Time
}

// tryMigrate copies a site, unless it has a stream.
func (l *Log) tryMigrate(ctx context.Context, src Source, name string, seen *copying) (*migration, error) {
	asking, cancel := context.WithTimeout(ctx, tryPatience)
	defer cancel()
	info, err := l.inform(asking, name, "")
	switch {
	case code(err) == jetstream.JSErrCodeStreamNotFound:
		return l.migrate(ctx, src, name)
	case err != nil:
		return nil, err
	case info.Config.Metadata[migratingKey] == "":
		return nil, nil
	}
	if now := (copying{info.Created, info.State.LastSeq, seen.since}); now != *seen {
		now.since = time.Now()
		*seen = now
	} else if time.Since(seen.since) > stalledFor {
		l.opts.Logger.Warn("an interrupted copy of the site is deleted, to start again", "site", name)
		if err := l.js.DeleteStream(asking, info.Config.Name); err != nil && code(err) != jetstream.JSErrCodeStreamNotFound {
			return nil, err
		}
	}
	return nil, errMigrating
}

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
	ttl     time.Duration            // of the last event; that of the next is not smaller, so that the oldest expire first
	acks    []jetstream.PubAckFuture // of the last messages
}

// migrate copies a site into a stream that is marked until it is complete. The stream begins at the low watermark, or
// before at the oldest remembered key. The retention by count is in force only at the end, when the
// fillers of erased sequences are gone.
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
	finishing, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := made.Purge(finishing, jetstream.WithPurgeSubject(m.site.subject+filler+".*")); err != nil {
		return nil, err
	}
	_, err = l.js.UpdateStream(finishing, done)
	return m, err
}

// copy publishes every event, and a filler for each sequence that has none.
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

// fill publishes fillers up to a sequence, with the keys of the erased events, which the server then remembers.
func (m *migration) fill(ctx context.Context, until uint64) error {
	for m.next < until {
		if m.next >= m.bounds.Low {
			m.fillers++
		}
		key := m.keys[m.next]
		msg := nats.NewMsg(m.site.subject + filler + "." + unkeyed)
		if key != "" {
			msg.Header.Set(jetstream.MsgIDHeader, key)
		}
		if err := m.publish(ctx, msg); err != nil {
			return err
		}
	}
	return nil
}

// event returns an event as a message, which expires when the event would have.
func (m *migration) event(e SourceEvent) *nats.Msg {
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

// publish publishes a message that has to get the next sequence.
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
		case <-time.After(patience):
			return fmt.Errorf("publish event %d: %w", want, context.DeadlineExceeded)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
