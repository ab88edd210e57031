package sqlitelog

import (
	"database/sql/driver"
	"fmt"
	"slices"

	"proofstream/stream"
)

const (
	// keyMemory is how long a key is remembered at least, in milliseconds.
	keyMemory = 3600_000
	// sweepInterval is the least time between two sweeps of a site's keys, in milliseconds.
	sweepInterval = 1000
	// pageRows is how many rows retention removes with one statement at most.
	pageRows = 256
	// agedPages is how many pages of rows retention by age removes in one transaction at most: appends wait for it.
	agedPages = 16
)

// dueSites returns the sites with something to remove now, and the time, in Unix milliseconds, when the next other site has.
func (l *Log) dueSites() (names []string, next int64) {
	now := l.now().UnixMilli()
	l.mu.Lock()
	defer l.mu.Unlock()
	next = never
	for name, s := range l.sites {
		switch due := s.due(l.opts.Limits); {
		case due <= now:
			names = append(names, name)
		default:
			next = min(next, due)
		}
	}
	return names, next
}

// retain removes the events beyond the limits, from the oldest end, and the keys that need not be remembered.
func (t *tx) retain(s *site) error {
	limits := t.log.opts.Limits
	tooOld := t.now - limits.Age.Milliseconds()
	for page := 0; s.events > 0; page++ {
		excess := s.events - int64(limits.Events)
		if excess <= 0 && (s.oldest > tooOld || page >= agedPages) {
			break
		}
		if err := t.retainPage(s, excess, tooOld); err != nil {
			return err
		}
	}
	if h := s.history.Trim(s.low); len(h) < len(s.history) {
		if err := s.setHistory(h); err != nil {
			return err
		}
	}
	if s.sweep <= t.now {
		return t.sweep(s)
	}
	return nil
}

// retainPage removes at most a page of the oldest events: as many as excess, and those whose time is not after tooOld.
func (t *tx) retainPage(s *site, excess, tooOld int64) error {
	rows := int64(pageRows)
	if s.oldest > tooOld {
		rows = min(excess, rows)
	}
	var gone, id, kind, at int64
	stays := false
	err := t.conn.query("SELECT id, kind, at FROM events WHERE id BETWEEN ? AND ? ORDER BY id "+limit, func(r []driver.Value) error {
		if stays {
			return nil
		}
		if err := scan(r, &id, &kind, &at); err != nil {
			return err
		}
		if stays = gone == rows || gone >= excess && at > tooOld; stays {
			return nil
		}
		if gone++; stream.Kind(kind) == stream.Announce {
			s.signups--
		}
		s.sweep = min(s.sweep, at+keyMemory)
		return nil
	}, s.first(), s.last(), rows+1)
	if err != nil {
		return err
	}
	s.events, s.low = s.events-gone, s.high+1
	if stays {
		s.low, s.oldest = seqOf(id), at
	}
	if !stays && s.events != 0 {
		return fmt.Errorf("%w: site %s has fewer events than were stored", errCorrupt, s.name)
	}
	return t.conn.exec("DELETE FROM events WHERE id BETWEEN ? AND ?", s.first(), rowID(s.id, s.low-1))
}

// forget makes a later sweep remove the key of an erased event.
func (s *site) forget(k keyOf) {
	s.erased = append(slices.Clip(s.erased), k)
	s.sweep = min(s.sweep, k.at+keyMemory)
}

// sweep removes the keys older than keyMemory whose event was removed: those below the low watermark, which are a range of row ids with
// rising times, and those of erased events.
func (t *tx) sweep(s *site) error {
	from, tooOld := s.first(), t.now-keyMemory
	to, next := rowID(s.id, s.low), int64(never)
	kept := func(r []driver.Value) error { return scan(r, &to, &next) }
	if err := t.conn.query("SELECT id, at FROM keys WHERE id >= ? AND id < ? AND at > ? ORDER BY id LIMIT 1", kept, from, to, tooOld); err != nil {
		return err
	}
	if err := t.conn.exec("DELETE FROM keys WHERE id >= ? AND id < ?", from, to); err != nil {
		return err
	}
	var erased []keyOf
	for _, k := range s.erased {
		if k.at > tooOld {
			erased, next = append(erased, k), min(next, k.at)
			continue
		}
		if err := t.conn.exec("DELETE FROM keys WHERE id = ?", k.id); err != nil {
			return err
		}
	}
	s.erased, s.sweep = erased, never
	if next < never {
		s.sweep = max(next+keyMemory, t.now+sweepInterval)
	}
	return nil
}
