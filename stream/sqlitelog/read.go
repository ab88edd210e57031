package sqlitelog

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"time"

	"proofstream/stream"
)

// Read returns the kept events after a sequence, oldest first, at most max.
func (l *Log) Read(ctx context.Context, name string, after uint64, max int) ([]stream.Event, stream.Bounds, error) {
	const sql = "SELECT id, kind, at, data, sum FROM events WHERE id > ? AND id <= ? ORDER BY id " + limit
	return l.events(ctx, name, max, func(s *siteRow) (string, int64, int64) {
		return sql, rowID(s.id, after), s.last()
	})
}

// Latest returns the kept signups before a sequence, newest first, at most max. Before 0 means from the newest.
func (l *Log) Latest(ctx context.Context, name string, before uint64, max int) ([]stream.Event, stream.Bounds, error) {
	const sql = "SELECT id, kind, at, data, sum FROM events WHERE id >= ? AND id <= ? AND kind = 0 ORDER BY id DESC " + limit
	if before == 0 {
		before = math.MaxUint64
	}
	return l.events(ctx, name, max, func(s *siteRow) (string, int64, int64) {
		return sql, s.first(), rowID(s.id, before-1)
	})
}

// events reads rows and bounds from one snapshot. With bounds from another moment, a client could miss a gap or get a false one.
func (l *Log) events(ctx context.Context, name string, limit int, query func(*siteRow) (sql string, from, to int64)) ([]stream.Event, stream.Bounds, error) {
	var events []stream.Event
	var b stream.Bounds
	s, err := l.site(ctx, name)
	if err == nil {
		var bad *badRow
		err = l.read(ctx, func(c *conn) (err error) {
			now, err := readSite(c, s)
			if err != nil {
				return err
			}
			b = now.bounds(l.opts.Limits)
			sql, from, to := query(&now.siteRow)
			return c.query(sql, func(r []driver.Value) error {
				e, err := scanEvent(r, now.history)
				events = append(events, e)
				return err
			}, from, to, int64(max(limit, 0)))
		})
		if errors.As(err, &bad) {
			err = fmt.Errorf("%w: %w", stream.ErrUnavailable, errors.Join(err, l.quarantine(ctx, name, bad.id)))
		}
	}
	if err != nil {
		return nil, stream.Bounds{}, fmt.Errorf("read site %s: %w", name, err)
	}
	return events, b, nil
}

// read calls do with a connection in a read transaction. It waits for a free connection until ctx ends.
func (l *Log) read(ctx context.Context, do func(*conn) error) error {
	select {
	case c := <-l.readers:
		defer func() { l.readers <- c }()
		err := c.snapshot(func() error { return do(c) })
		return l.readFailed(err)
	case <-ctx.Done():
		return ctx.Err()
	case <-l.closed:
		return errStopped
	}
}

// snapshot runs do in a read transaction.
func (c *conn) snapshot(do func() error) error {
	if err := c.exec("BEGIN"); err != nil {
		return err
	}
	err := do()
	if err != nil {
		return errors.Join(err, c.exec("ROLLBACK"))
	}
	return c.exec("COMMIT")
}

// readSite returns the state of a site in a snapshot. Only the fields from the site's row are set.
func readSite(c *conn, known *site) (*site, error) {
	s := &site{history: known.history}
	err := c.query("SELECT "+siteColumns+" FROM sites WHERE id = ?", s.siteRow.scan, known.id)
	if err == nil && s.id != known.id {
		err = fmt.Errorf("%w: site %s is missing", errCorrupt, known.name)
	}
	if err == nil && s.epochs != known.epochs {
		s.history, err = parseEpochs(s.epochs)
	}
	return s, err
}

// badRow is an event that does not fit its sum.
type badRow struct{ id int64 }

func (e *badRow) Error() string { return fmt.Sprintf("event %d does not fit its sum", seqOf(e.id)) }

// scanEvent returns the event of a row of id, kind, at, data and sum. The error is a *badRow when the row does not fit its sum.
func scanEvent(r []driver.Value, history stream.Epochs) (e stream.Event, err error) {
	var id, kind, at, sum int64
	if err := scan(r, &id, &kind, &at, &e.Data, &sum); err != nil {
		return e, err
	}
	if sum != eventSum(id, kind, at, e.Data) {
		return e, &badRow{id}
	}
	e.ID, e.Kind, e.Time = history.ID(seqOf(id)), stream.Kind(kind), time.UnixMilli(at)
	return e, nil
}
