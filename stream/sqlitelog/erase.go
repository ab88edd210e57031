package sqlitelog

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"proofstream/stream"
)

// Erase removes an event for good. While another process reads the database for long, it waits: the bytes
// are in the write-ahead log until nobody needs it.
func (l *Log) Erase(ctx context.Context, name string, seq uint64) error {
	_, err := l.site(ctx, name)
	if err == nil {
		err = l.submit(ctx, func(t *tx) error { return t.erase(name, seq) })
	}
	if err != nil {
		return fmt.Errorf("erase %d of site %s: %w", seq, name, err)
	}
	return nil
}

// erase removes an event, if it is there. Its key is remembered for keyMemory.
func (t *tx) erase(name string, seq uint64) error {
	s := t.known(name)
	if s == nil || seq > maxSeq {
		return nil
	}
	row := rowID(s.id, seq)
	kind, found := int64(0), false
	err := t.conn.query("SELECT kind FROM events WHERE id = ?", func(r []driver.Value) error {
		found = true
		return scan(r, &kind)
	}, row)
	t.request.purge = found || t.unclean
	if err != nil || !found {
		return err
	}
	if s, err = t.site(name); err != nil {
		return err
	}
	t.unclean = true // also if the transaction fails: then a purge too many
	if err := t.remove(s, row); err != nil {
		return err
	}
	if stream.Kind(kind) == stream.Announce {
		s.signups--
	}
	at, err := t.conn.value("SELECT at FROM keys WHERE id = ?", row)
	if err == nil && at > 0 {
		s.forget(keyOf{row, at})
	}
	return err
}

// remove deletes a row that is in nobody's way. The caller counts the signups.
func (t *tx) remove(s *site, row int64) (err error) {
	if err := t.conn.exec("DELETE FROM events WHERE id = ?", row); err != nil {
		return err
	}
	if s.events--; s.events == 0 {
		s.low = s.high + 1
	}
	s.oldest, err = t.conn.value("SELECT at FROM events WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1", s.first(), s.last())
	return err
}

// quarantine removes a row of events that does not fit its sum: it is never served, and every cursor from before
// gets a gap.
func (l *Log) quarantine(ctx context.Context, name string, row int64) error {
	removed := false
	err := l.submit(ctx, func(t *tx) error {
		var bad *badRow
		there := false
		if err := t.conn.exec("PRAGMA shrink_memory"); err != nil { // its cache may have the page as it was
			return err
		}
		err := t.conn.query("SELECT id, kind, at, data, sum FROM events WHERE id = ?", func(r []driver.Value) error {
			there = true
			_, err := scanEvent(r, stream.NewEpochs(1))
			return err
		}, row)
		switch {
		case err == nil && !there && t.quarantined[row]:
			return nil // another reader was first
		case err == nil:
			return fmt.Errorf("%w: a row that does not fit its sum is not where it belongs", errCorrupt)
		case !errors.As(err, &bad):
			return err
		}
		t.quarantined[row] = true
		s, err := t.site(name)
		if err != nil {
			return err
		}
		if err := t.remove(s, row); err != nil {
			return err
		}
		s.signups, err = t.conn.value("SELECT count(*) FROM events WHERE id BETWEEN ? AND ? AND kind = ?", s.first(), s.last(), int64(stream.Announce))
		removed = err == nil
		if err != nil {
			return err
		}
		return s.setHistory(s.history.Damaged(s.high))
	})
	if err == nil && removed {
		l.damaged(1)
		l.opts.Logger.Error("an event does not fit its checksum and was removed; its content was changed on disk; cursors from before get a gap",
			"site", name, "sequence", seqOf(row))
	}
	return err
}
