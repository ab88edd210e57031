package sqlitelog

import (
	"context"
	"database/sql/driver"
	"fmt"
	"iter"
	"path/filepath"

	"proofstream/stream"
)

// readerPage is how many rows a Reader reads in one transaction at most. A long transaction would delay erasures.
const readerPage = 256

// Reader reads a log that another process may be running. It changes nothing. It is for one goroutine at a time.
type Reader struct{ conn *conn }

// OpenReader opens the log in dir for reading. The error wraps fs.ErrNotExist when there is none.
func OpenReader(dir string) (*Reader, error) {
	c, err := openReading(filepath.Join(dir, databaseFile))
	if err != nil {
		return nil, fmt.Errorf("open event log in %s: %w", dir, err)
	}
	return &Reader{c}, nil
}

// Close closes the reader.
func (r *Reader) Close() error { return r.conn.close() }

// Sites returns the names of all sites, sorted.
func (r *Reader) Sites(ctx context.Context) (names []string, err error) {
	err = r.conn.query("SELECT name FROM sites ORDER BY name", func(row []driver.Value) error {
		var name string
		err := scan(row, &name)
		names = append(names, name)
		return err
	})
	return names, err
}

// Bounds returns the bounds of a site, without Limits, which the log does not store. The error wraps stream.ErrNotFound when there is no such
// site.
func (r *Reader) Bounds(ctx context.Context, name string) (stream.Bounds, error) {
	s, err := r.site(name)
	if err != nil {
		return stream.Bounds{}, err
	}
	return s.bounds(stream.Limits{}), nil
}

func (r *Reader) site(name string) (*site, error) {
	s := &site{}
	err := r.conn.query("SELECT "+siteColumns+" FROM sites WHERE name = ?", s.siteRow.scan, name)
	if err == nil && s.id == 0 {
		err = stream.ErrNotFound
	}
	if err == nil {
		s.history, err = parseEpochs(s.epochs)
	}
	if err != nil {
		return nil, fmt.Errorf("site %s: %w", name, err)
	}
	return s, nil
}

// Events yields every kept event of a site, oldest first. It may yield events that are stored or removed meanwhile. It ends after an error, such
// as that of an event which does not fit its sum.
func (r *Reader) Events(ctx context.Context, name string) iter.Seq2[stream.Record, error] {
	const sql = `SELECT e.id, e.kind, e.at, e.data, e.sum, k.hash FROM events e LEFT JOIN keys k ON k.id = e.id
		WHERE e.id > ? AND e.id <= ? ORDER BY e.id ` + limit
	return inPages(ctx, r, name, sql, func(s *site, row []driver.Value) (rec stream.Record, err error) {
		rec.Event, err = scanEvent(row, s.history)
		rec.KeyHash, _ = row[5].([]byte)
		return rec, err
	})
}

// Keys yields every remembered key of a site, also of removed events, by rising sequence. It ends after an error.
func (r *Reader) Keys(ctx context.Context, name string) iter.Seq2[stream.Key, error] {
	const sql = "SELECT id, hash, at, sum FROM keys WHERE id > ? AND id <= ? ORDER BY id " + limit
	return inPages(ctx, r, name, sql, func(_ *site, row []driver.Value) (rec stream.Key, err error) {
		var id, at, sum int64
		err = scan(row, &id, &rec.Hash, &at, &sum)
		if err == nil && sum != keySum(id, rec.Hash, at) {
			err = fmt.Errorf("%w: the key of event %d does not fit its sum", errCorrupt, seqOf(id))
		}
		rec.Seq = seqOf(id)
		return rec, err
	})
}

// inPages yields the rows of a query that begins after an id, which is its first column.
func inPages[T any](ctx context.Context, r *Reader, name, sql string, decode func(*site, []driver.Value) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		s, err := r.site(name)
		if err != nil {
			yield(zero, err)
			return
		}
		for after := s.first(); ; {
			var page []T
			err := r.conn.query(sql, func(row []driver.Value) error {
				item, err := decode(s, row)
				if err == nil {
					page = append(page, item)
					after, _ = row[0].(int64)
				}
				return err
			}, after, s.last(), int64(readerPage))
			for _, item := range page {
				if !yield(item, nil) {
					return
				}
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(zero, fmt.Errorf("read site %s: %w", name, err))
			}
			if err != nil || len(page) < readerPage {
				return
			}
		}
	}
}
