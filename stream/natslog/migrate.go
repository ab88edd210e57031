package natslog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// Source is an embedded log to be copied. It must not change meanwhile.
type Source interface {
	// Sites returns the names of all sites.
	Sites(ctx context.Context) ([]string, error)
	// Bounds returns the bounds of a site's log.
	Bounds(ctx context.Context, site string) (stream.Bounds, error)
	// Events yields every kept event, oldest first.
	Events(ctx context.Context, site string) iter.Seq2[stream.Record, error]
	// Keys yields every remembered key, also of erased events.
	Keys(ctx context.Context, site string) iter.Seq2[stream.Key, error]
}

const (
	// migrateWindow is how many messages of a copy may be unacknowledged at most.
	migrateWindow = 256
	// stallTimeout is how long another node's copy may make no progress before it is deleted and started again.
	stallTimeout = 10 * time.Second
	// migrateRetryDelay is the delay before the copy of a site is tried again.
	migrateRetryDelay = time.Second
	// finishTimeout bounds the last step of a copy.
	finishTimeout = time.Minute
	// erasedKind stands for the kind of event in the subject of a message that only takes a sequence.
	erasedKind = "erased"
)

// Migrate copies every site of src that has no stream in the cluster. Ids, times, cursors and keys stay valid, and events expire when they
// would have in the source, which does not change. Migrate logs that a site has a stream, and leaves that as it is. It copies a site
// again whose copy was interrupted, and waits for one that another node is copying. It waits for the cluster until ctx ends.
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

// migrateSite tries until the site has a complete stream.
func (l *Log) migrateSite(ctx context.Context, src Source, name string) error {
	warn := l.waitLogger("the cluster does not take the copy of a site yet; waiting for it", "site", name)
	var seen progress
	for {
		copied, err := l.tryMigrate(ctx, src, name, &seen)
		switch {
		case err == nil:
			l.logCopied(name, copied)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !temporary(err) && !errors.Is(err, errMigrating):
			return err
		}
		warn(err.Error())
		sleep(ctx, migrateRetryDelay)
	}
}

// logCopied logs that a site was copied, or, when c is nil, that it had a stream.
func (l *Log) logCopied(name string, c *migration) {
	if c == nil {
		l.opts.Logger.Info("the site has a stream already: its events in the embedded log are not copied, and stay as they are", "site", name)
		return
	}
	l.opts.Logger.Info("copied the site from the embedded log to the cluster; every event keeps its id",
		"site", name, "events", c.events, "erased", c.fillers, "low", c.bounds.Low, "high", c.bounds.High, "took", time.Since(c.begun).Round(time.Millisecond))
}

// progress is what was last seen of a copy by another node.
type progress struct {
	created time.Time // when the stream was created
	last    uint64    // its last sequence
	since   time.Time // since when both are so
}

// tryMigrate copies a site. It returns nil without an error when the site has a complete stream.
func (l *Log) tryMigrate(ctx context.Context, src Source, name string, seen *progress) (*migration, error) {
	attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	info, err := l.describe(attempt, name, "")
	switch {
	case errorCode(err) == jetstream.JSErrCodeStreamNotFound:
		return l.migrate(ctx, src, name)
	case err != nil:
		return nil, err
	case info.Config.Metadata[migratingKey] == "":
		return nil, nil
	}
	if now := (progress{info.Created, info.State.LastSeq, seen.since}); now != *seen {
		now.since = time.Now()
		*seen = now
	} else if time.Since(seen.since) > stallTimeout {
		l.opts.Logger.Warn("an interrupted copy of the site is deleted, to start again", "site", name)
		if err := l.js.DeleteStream(attempt, info.Config.Name); err != nil && errorCode(err) != jetstream.JSErrCodeStreamNotFound {
			return nil, err
		}
	}
	return nil, errMigrating
}
