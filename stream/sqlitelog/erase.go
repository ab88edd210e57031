package sqlitelog

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"proofstream/stream"
)

// Erase removes an event and overwrites its bytes. It waits while another process has a read transaction open: until then, the write-ahead log
// keeps the bytes. When ctx ends before, the event is removed, but its bytes may still be in a file.
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

// erase removes an event, if there is one. The log still remembers its key for keyMemory.
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
	t.unclean = true // also when the transaction fails: a needless purge does no harm
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

// remove deletes the row of an event. The caller corrects the number of signups.
func (t *tx) remove(s *site, row int64) (err error) {
	s.appended = nil // it may be one of them
	if err := t.conn.exec("DELETE FROM events WHERE id = ?", row); err != nil {
		return err
	}
	if s.events--; s.events == 0 {
		s.low = s.high + 1
	}
	s.oldest, err = t.conn.value("SELECT at FROM events WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1", s.first(), s.last())
	return err
}

// quarantine removes the row of an event that does not fit its sum, and opens an epoch: every earlier cursor gets a gap.
func (l *Log) quarantine(ctx context.Context, name string, row int64) error {
	removed := false
	err := l.submit(ctx, func(t *tx) (err error) {
		removed, err = t.quarantine(name, row)
		return err
	})
	if err == nil && removed {
		l.damaged(1)
		l.opts.Logger.Error("an event does not fit its checksum and was removed; its content was changed on disk; cursors from before get a gap",
			"site", name, "sequence", seqOf(row))
	}
	return err
}

// quarantine removes a row that does not fit its sum. It returns false when a request for another reader has removed the row before.
func (t *tx) quarantine(name string, row int64) (removed bool, err error) {
	if err := t.conn.exec("PRAGMA shrink_memory"); err != nil { // the cache of the connection may have the undamaged page
		return false, err
	}
	var bad *badRow
	found := false
	err = t.conn.query("SELECT id, kind, at, data, sum FROM events WHERE id = ?", func(r []driver.Value) error {
		found = true
		_, err := scanEvent(r, stream.NewEpochs(1))
		return err
	}, row)
	switch {
	case err == nil && !found && t.quarantined[row]:
		return false, nil
	case err == nil:
		return false, fmt.Errorf("%w: a row that does not fit its sum is not where it belongs", errCorrupt)
	case !errors.As(err, &bad):
		return false, err
	}
	t.quarantined[row] = true
	s, err := t.site(name)
	if err != nil {
		return false, err
	}
	if err := t.remove(s, row); err != nil {
		return false, err
	}
	s.signups, err = t.conn.value("SELECT count(*) FROM events WHERE id BETWEEN ? AND ? AND kind = ?", s.first(), s.last(), int64(stream.Announce))
	if err != nil {
		return false, err
	}
	return true, s.setHistory(s.history.Damaged(s.high))
}
