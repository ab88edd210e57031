package sqlitelog

import (
	"fmt"
	"math/rand/v2"
	"time"

	"proofstream/stream"
)

// tx is one write transaction.
type tx struct {
	*writer
	request *request         // the one that runs now
	now     int64            // time of the events that it stores, Unix milliseconds
	sites   map[string]*site // changed or created
	probe   bool             // it writes even if nothing changes
}

// run runs the requests, applies retention and commits.
func (t *tx) run(batch []*request) error {
	if err := t.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := t.do(batch)
	if err == nil {
		err = t.conn.exec("COMMIT")
	}
	if err != nil {
		t.conn.exec("ROLLBACK") // fails when SQLite has rolled back already
	}
	return err
}

// do runs the requests and saves the sites that they changed.
func (t *tx) do(batch []*request) error {
	for _, r := range batch {
		if r.err = r.ctx.Err(); r.err != nil {
			continue // its caller has left
		}
		t.request = r
		if err := r.do(t); err != nil {
			return err
		}
	}
	for _, s := range t.sites {
		if err := t.retain(s); err != nil {
			return err
		}
		if err := t.save(s); err != nil {
			return err
		}
	}
	if t.probe {
		return t.conn.exec("UPDATE meta SET open = open")
	}
	return nil
}

// known returns the state of a site, to be read; nil when there is no such site.
func (t *tx) known(name string) *site {
	if s := t.sites[name]; s != nil {
		return s
	}
	s, _ := t.log.known(name)
	return s
}

// site returns the state of a site, to be changed. It creates the site when it is new.
func (t *tx) site(name string) (*site, error) {
	if s := t.sites[name]; s != nil {
		return s, nil
	}
	old := t.known(name)
	if old == nil {
		return t.create(name)
	}
	s := *old
	s.appended, s.moved = nil, make(chan struct{})
	t.sites[name] = &s
	return &s, nil
}

// create creates a site. save completes its rows.
func (t *tx) create(name string) (*site, error) {
	// The id is random: when pages of another database are among ours, as after a wrong restore, their events belong to none of our sites.
	id, taken := int64(0), int64(1)
	for taken > 0 {
		var err error
		id = 1 + rand.Int64N(maxSite)
		if taken, err = t.conn.value("SELECT count(*) FROM site_copies WHERE id = ?", id); err != nil {
			return nil, err
		}
	}
	s := &site{siteRow: siteRow{id: id, name: name, low: 1}, sweep: never, moved: make(chan struct{})}
	if err := s.setHistory(stream.NewEpochs(1)); err != nil {
		return nil, err
	}
	t.sites[name] = s
	if err := t.conn.exec("INSERT INTO site_copies VALUES (?, ?, '', 0)", s.id, name); err != nil {
		return nil, err
	}
	return s, t.conn.exec("INSERT INTO sites VALUES (?, ?, 0, 0, 0, 0, '', 0, 0)", s.id, name) // save completes it
}

// save stores the state of a site.
func (t *tx) save(s *site) error {
	s.siteRow.tx = t.tx + 1
	if s.newHistory {
		s.newHistory = false
		if err := t.conn.exec("UPDATE site_copies SET epochs = ?, sum = ? WHERE id = ?", s.epochs, copySum(s.id, s.name, s.epochs), s.id); err != nil {
			return err
		}
	}
	return t.conn.exec("UPDATE sites SET low = ?, high = ?, events = ?, signups = ?, epochs = ?, tx = ?, sum = ? WHERE id = ?",
		int64(s.low), int64(s.high), s.events, s.signups, s.epochs, s.siteRow.tx, s.sum(), s.id)
}

// append stores an entry, unless an event has its key.
func (t *tx) append(name string, e stream.Entry, hash []byte) (id stream.ID, duplicate bool, err error) {
	if s := t.known(name); s != nil && hash != nil {
		if seq, err := findKey(t.conn, s.id, hash); err != nil || seq > 0 {
			return s.history.ID(seq), true, err
		}
	}
	s, err := t.site(name)
	if err != nil {
		return id, false, err
	}
	if s.high == maxSeq {
		return id, false, fmt.Errorf("site %s has used all sequences", name)
	}
	s.high++
	if s.events++; s.events == 1 {
		s.oldest = t.now
	}
	if e.Kind == stream.Announce {
		s.signups++
	}
	row, kind, data := rowID(s.id, s.high), int64(e.Kind), append([]byte{}, e.Data...)
	err = t.conn.exec("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row, kind, t.now, data, eventSum(row, kind, t.now, data))
	if err == nil && hash != nil {
		err = t.conn.exec("INSERT INTO keys VALUES (?, ?, ?, ?)", row, hash, t.now, keySum(row, hash, t.now))
	}
	id = s.history.ID(s.high)
	s.appended = append(s.appended, stream.Event{ID: id, Kind: e.Kind, Time: time.UnixMilli(t.now), Data: data})
	return id, false, err
}
