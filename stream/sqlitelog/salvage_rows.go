package sqlitelog

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"io"

	"proofstream/stream"
)

// salvage makes a sound database from what is intact in a damaged one.
type salvage struct {
	last     commits               // the record of the last commit; without one, a new instance and no commit
	progress func(done, total int) // called after each page

	conn   *conn // to the new database
	sites  map[int64]*siteRow
	copies map[int64]*siteRow // with the columns of a row of site_copies

	kept        int64 // events that were copied
	damaged     int64 // events that do not fit their sum
	ofLostSites int64 // events of sites whose names are lost
}

func newSalvage(last *commits, progress func(done, total int)) *salvage {
	s := &salvage{progress: progress, sites: map[int64]*siteRow{}, copies: map[int64]*siteRow{}}
	s.last.instance = rand.Text()
	if last != nil {
		s.last = *last
	}
	return s
}

// run writes the intact rows to a new database. The damaged one and its WAL stay as they are.
func (s *salvage) run(ctx context.Context, from, to string) error {
	file, wal, done, err := openFiles(from)
	defer done()
	if err != nil {
		return err
	}
	if err := createDatabase(to, s.last.instance); err != nil {
		return err
	}
	if s.conn, err = openConn(to, writing); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return s.conn.exec("PRAGMA journal_mode = OFF") }, // after a crash the file is made again
		func() error { return s.conn.exec("BEGIN") },
		func() error { return s.copy(ctx, file, wal) },
		s.finish,
		func() error { return s.conn.exec("COMMIT") },
		func() error { return s.conn.exec("PRAGMA journal_mode = WAL") },
	} {
		if err := step(); err != nil {
			return errors.Join(err, s.conn.close())
		}
	}
	return s.conn.close()
}

// copy copies the rows of the database as it was after the last commit that SQLite can read. When commits are missing, it adds the rows of the
// frames after a damaged one.
func (s *salvage) copy(ctx context.Context, file, wal *io.SectionReader) error {
	p := newImage(file, wal, false)
	if foreign(p) {
		wal = nothingToRead()
		p = newImage(file, wal, false)
	}
	if err := s.take(ctx, p); err != nil || s.newest() >= s.last.tx {
		return err
	}
	return s.take(ctx, newImage(file, wal, true))
}

// foreign reports whether the WAL is of another database, or older than the file. Everything in an older one was moved to the file since, and may
// have been erased. The rows of sites show it: the ids of sites are random, and the numbers of their transactions rise.
func foreign(p *image) bool {
	changed := p.changed()
	before, after := newImage(p.file, nothingToRead(), false).sites(changed), p.sites(changed)
	var was, is int64
	for name, site := range before {
		if other := after[name]; other != nil && other.id != site.id {
			return true
		}
		was = max(was, site.tx)
	}
	for _, site := range after {
		is = max(is, site.tx)
	}
	return was > is
}

// sites returns the intact sites on some pages, by name.
func (p *image) sites(numbers []uint32) map[string]*siteRow {
	sites := map[string]*siteRow{}
	for r := range p.rows(numbers) {
		var site siteRow
		if r.ours() && len(r.columns) == 9 && site.scan(r.columns) == nil {
			sites[site.name] = &site
		}
	}
	return sites
}

// newest returns the number of the newest transaction that wrote a site.
func (s *salvage) newest() (tx int64) {
	for _, site := range s.sites {
		tx = max(tx, site.tx)
	}
	return tx
}

// take copies the rows of all pages. Of several events with the same id it keeps the first.
func (s *salvage) take(ctx context.Context, p *image) error {
	numbers, page := p.numbers(), uint32(0)
	for r := range p.rows(numbers) {
		if r.page != page {
			page = r.page
			if s.progress(int(page), len(numbers)); ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if r.ours() {
			if err := s.takeRow(r.id, r.columns); err != nil {
				return err
			}
		}
	}
	return nil
}

// ours reports whether a row may be of one of our tables, in which the first column is the row id. It sets that column.
func (r row) ours() bool {
	if len(r.columns) == 0 || r.columns[0] != nil || r.id <= 0 {
		return false
	}
	r.columns[0] = r.id
	return true
}

// takeRow copies a row. The number of columns and the sum say of which table it is; any other row is ignored.
func (s *salvage) takeRow(id int64, columns []driver.Value) error {
	var site siteRow
	var name, epochs string
	var hash, data []byte
	var kind, at, sum int64
	switch len(columns) {
	case 4:
		if scan(columns, &id, &name, &epochs, &sum) == nil && sum == copySum(id, name, epochs) {
			s.copies[id] = &siteRow{id: id, name: name, epochs: epochs}
			return nil
		}
		if scan(columns, &id, &hash, &at, &sum) == nil && sum == keySum(id, hash, at) {
			return s.conn.exec("INSERT OR IGNORE INTO keys VALUES (?, ?, ?, ?)", id, hash, at, sum)
		}
	case 5:
		if scan(columns, &id, &kind, &at, &data, &sum) != nil || sum != eventSum(id, kind, at, data) {
			s.damaged++
			return nil
		}
		return s.conn.exec("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?)", id, kind, at, data, sum)
	case 9:
		if site.scan(columns) == nil && (s.sites[id] == nil || s.sites[id].tx < site.tx) {
			s.sites[id] = &site
		}
	}
	return nil
}

// finish writes the sites and removes the rows that belong to no site.
func (s *salvage) finish() error {
	for id, site := range s.copies {
		if s.sites[id] == nil { // restore computes the other columns from the events
			s.sites[id] = site
		}
	}
	tx := max(s.newest(), s.last.tx) + 1
	byName := map[string]*siteRow{}
	for _, site := range s.sites {
		if err := s.restore(site); err != nil {
			return err
		}
		site.tx = tx
		// Pages of another database may be among ours. Of two sites with the same name, keep the one with more events.
		if other := byName[site.name]; other == nil || other.events < site.events {
			byName[site.name] = site
		}
	}
	for _, site := range byName {
		if err := s.insert(site); err != nil {
			return err
		}
		s.kept += site.events
	}
	all, err := s.conn.value("SELECT count(*) FROM events")
	s.ofLostSites = all - s.kept
	return errors.Join(err, s.conn.exec("DELETE FROM events WHERE id >> 40 NOT IN (SELECT id FROM sites)"),
		s.conn.exec("DELETE FROM keys WHERE id >> 40 NOT IN (SELECT id FROM sites)"))
}

func (s *salvage) insert(site *siteRow) error {
	return errors.Join(
		s.conn.exec("INSERT INTO sites VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", site.id, site.name, int64(site.low), int64(site.high),
			site.events, site.signups, site.epochs, site.tx, site.sum()),
		s.conn.exec("INSERT INTO site_copies VALUES (?, ?, ?, ?)", site.id, site.name, site.epochs, copySum(site.id, site.name, site.epochs)))
}

// restore computes the row of a site from its intact row, if there is one, and from the events that were copied.
func (s *salvage) restore(row *siteRow) error {
	// Pages may hold old copies of events that retention has removed.
	if err := s.conn.exec("DELETE FROM events WHERE id >= ? AND id < ?", row.first(), rowID(row.id, row.low)); err != nil {
		return err
	}
	site := &site{siteRow: *row}
	history, err := parseEpochs(row.epochs)
	if err != nil {
		history = stream.NewEpochs(1)
	}
	var oldest, newest, key int64
	err = s.conn.query("SELECT count(*), sum(kind = 0), min(id), max(id) FROM events WHERE id BETWEEN ? AND ?",
		func(r []driver.Value) error { return scan(r, &site.events, &site.signups, &oldest, &newest) }, row.first(), row.last())
	if err == nil {
		key, err = s.conn.value("SELECT max(id) FROM keys WHERE id BETWEEN ? AND ?", row.first(), row.last())
	}
	if err != nil {
		return err
	}
	site.high = max(row.high, seqOf(newest), seqOf(key), max(history[len(history)-1].First, 1)-1)
	switch {
	case site.events == 0:
		site.low = site.high + 1
	case site.low == 0:
		site.low = seqOf(oldest)
	}
	err = site.setHistory(history.Damaged(site.high).Trim(site.low))
	*row = site.siteRow
	return err
}
