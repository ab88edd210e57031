package sqlitelog

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
)

// maxFaults is how many faults a check reports at most.
const maxFaults = 20

// checked is the state of a database without faults.
type checked struct {
	meta  metaRow
	tx    int64
	sites map[string]*site
}

// check reads everything in the database and returns its faults, in words for the operator. It changes nothing.
func (l *Log) check(ctx context.Context, found fileState) (*checked, []string, error) {
	if found == missingFile {
		return nil, []string{"the database file is missing or empty"}, nil
	}
	c, err := openConn(l.path, reading)
	if err == nil {
		k := checker{ctx: ctx, conn: c, byID: map[int64]*site{}, checked: checked{sites: map[string]*site{}}}
		err = c.snapshot(k.run)
		c.close()
		if corrupt(err) {
			k.fault("%v", err)
			err = nil
		}
		if err == nil {
			return &k.checked, k.faults, nil
		}
	}
	if corrupt(err) {
		return nil, []string{err.Error()}, nil
	}
	return nil, nil, fmt.Errorf("check %s: %w", l.path, describe(err))
}

type checker struct {
	checked
	ctx    context.Context
	conn   *conn
	byID   map[int64]*site
	faults []string
}

func (k *checker) fault(format string, args ...any) {
	if len(k.faults) < maxFaults {
		k.faults = append(k.faults, fmt.Sprintf(format, args...))
	}
}

func (k *checker) run() error {
	for _, step := range []func() error{k.integrity, k.schema, k.record, k.sitesAndNames, k.events, k.keys} {
		if err := step(); err != nil {
			return err
		}
		if len(k.faults) > 0 {
			return nil // the next steps rely on this one
		}
	}
	return k.ctx.Err()
}

// integrity makes SQLite check its own structures, among them every index.
func (k *checker) integrity() error {
	return k.conn.query("PRAGMA integrity_check(20)", func(r []driver.Value) error {
		if text, _ := r[0].(string); text != "ok" {
			k.fault("%v", r[0])
		}
		return nil
	})
}

func (k *checker) schema() error {
	var found []string
	err := k.conn.query("SELECT sql FROM sqlite_schema ORDER BY rowid", func(r []driver.Value) error {
		text, _ := r[0].(string)
		found = append(found, text)
		return nil
	})
	if err == nil && !slices.Equal(found, schema) {
		k.fault("the schema is not as it was created")
	}
	return err
}

func (k *checker) record() (err error) {
	k.meta, err = readMeta(k.conn)
	return err
}

func (k *checker) sitesAndNames() error {
	err := k.conn.query("SELECT "+siteColumns+" FROM sites", func(r []driver.Value) error {
		s := &site{sweep: never, moved: make(chan struct{})}
		err := s.siteRow.scan(r)
		if err == nil {
			s.history, err = parseEpochs(s.epochs)
		}
		if err != nil {
			k.fault("%v", err)
			return nil
		}
		k.sites[s.name], k.byID[s.id], k.tx = s, s, max(k.tx, s.siteRow.tx)
		return nil
	})
	if err != nil {
		return err
	}
	n := 0
	err = k.conn.query("SELECT id, name, epochs, sum FROM site_copies", func(r []driver.Value) error {
		var id, sum int64
		var name, epochs string
		n++
		if err := scan(r, &id, &name, &epochs, &sum); err != nil || sum != copySum(id, name, epochs) ||
			k.byID[id] == nil || k.byID[id].name != name || k.byID[id].epochs != epochs {
			k.fault("the copy of site %d (%q) is not as it was stored", id, name)
		}
		return nil
	})
	if n != len(k.byID) {
		k.fault("%d sites have %d copies", len(k.byID), n)
	}
	return err
}

// events compares every event with its sum, and the counts of events with the row of their site.
func (k *checker) events() error {
	type count struct{ events, signups int64 }
	counts := map[int64]*count{}
	for id := range k.byID {
		counts[id] = &count{}
	}
	err := k.conn.query("SELECT id, kind, at, data, sum FROM events ORDER BY id", func(r []driver.Value) error {
		var id, kind, at, sum int64
		var data []byte
		err := scan(r, &id, &kind, &at, &data, &sum)
		s, seq := k.byID[siteOf(id)], seqOf(id)
		if err != nil || sum != eventSum(id, kind, at, data) || s == nil || seq < s.low || seq > s.high {
			k.fault("event %d of site %d is not as it was stored", seq, siteOf(id))
			return nil
		}
		n := counts[s.id]
		if n.events++; n.events == 1 {
			s.oldest = at
		}
		if kind == 0 {
			n.signups++
		}
		return k.ctx.Err()
	})
	for id, n := range counts {
		if s := k.byID[id]; n.events != s.events || n.signups != s.signups {
			k.fault("site %s has %d events, %d of them signups; %d and %d were stored", s.name, n.events, n.signups, s.events, s.signups)
		}
	}
	return err
}

// keys compares every key with its sum, and finds the keys of removed events.
func (k *checker) keys() error {
	return k.conn.query("SELECT k.id, k.hash, k.at, k.sum, e.id IS NOT NULL FROM keys k LEFT JOIN events e ON e.id = k.id", func(r []driver.Value) error {
		var id, at, sum, kept int64
		var hash []byte
		err := scan(r, &id, &hash, &at, &sum, &kept)
		s := k.byID[siteOf(id)]
		switch {
		case err != nil || sum != keySum(id, hash, at) || s == nil || seqOf(id) > s.high:
			k.fault("the key of event %d of site %d is not as it was stored", seqOf(id), siteOf(id))
		case kept == 0 && seqOf(id) < s.low:
			s.sweep = min(s.sweep, at+keyMemory)
		case kept == 0:
			s.forget(keyOf{id, at})
		}
		return k.ctx.Err()
	})
}
