package sqlitelog

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"

	"proofstream/stream"
)

// Append stores an entry and returns when it is on disk. When it returns the context's error, the entry may have been stored.
func (l *Log) Append(ctx context.Context, name string, e stream.Entry) (stream.ID, bool, error) {
	if err := cmp.Or(stream.CheckSite(name), e.Check()); err != nil {
		return stream.ID{}, false, fmt.Errorf("append to site %s: %w", name, err)
	}
	if _, open := l.known(name); !open {
		return stream.ID{}, false, fmt.Errorf("append to site %s: %w", name, errNotOpen)
	}
	var hash []byte
	if e.Key != "" {
		hash = stream.HashKey(e.Key)
	}
	var stored struct {
		id        stream.ID
		duplicate bool
	}
	err := l.submit(ctx, func(t *tx) (err error) {
		stored.id, stored.duplicate, err = t.append(name, e, hash)
		return err
	})
	if err != nil { // the writer may still run, and write to stored
		return stream.ID{}, false, fmt.Errorf("append to site %s: %w", name, err)
	}
	return stored.id, stored.duplicate, nil
}

// Find returns the id of the event that was appended with a key. The error is stream.ErrNotFound when the log does not remember the key.
func (l *Log) Find(ctx context.Context, name, key string) (stream.ID, error) {
	s, err := l.site(ctx, name)
	if err == nil {
		var seq uint64
		err = l.read(ctx, func(c *conn) (err error) {
			seq, err = findKey(c, s.id, stream.HashKey(key))
			return err
		})
		if err == nil && seq > 0 {
			s, err = l.site(ctx, name) // its epochs may be newer
		}
		if err == nil && seq > 0 {
			return s.history.ID(seq), nil
		}
		if err == nil {
			err = stream.ErrNotFound
		}
	}
	return stream.ID{}, fmt.Errorf("find a key of site %s: %w", name, err)
}

// findKey returns the sequence of a site's event with a key, 0 when there is none.
func findKey(c *conn, siteID int64, hash []byte) (seq uint64, err error) {
	err = c.query("SELECT id, at, sum FROM keys WHERE hash = ? AND id BETWEEN ? AND ?", func(r []driver.Value) error {
		var id, at, sum int64
		if err := scan(r, &id, &at, &sum); err != nil {
			return err
		}
		if sum != keySum(id, hash, at) {
			return fmt.Errorf("%w: the key of event %d does not fit its sum", errCorrupt, seqOf(id))
		}
		seq = seqOf(id)
		return nil
	}, hash, rowID(siteID, 0), rowID(siteID, maxSeq))
	return seq, err
}
