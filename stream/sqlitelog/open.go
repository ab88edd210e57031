package sqlitelog

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"modernc.org/sqlite"

	"proofstream/stream"
)

// Open takes the directory, checks the files, salvages what is sound in damaged ones, and begins a new epoch of
// each site. An error says what to do. After one, Open can be called again.
func (l *Log) Open(ctx context.Context) error {
	err := l.takeDir(ctx)
	if err == nil {
		err = l.openDatabase(ctx)
	}
	if err == nil {
		err = l.syncDir(l.opts.Dir)
	}
	if err != nil {
		l.mu.Lock()
		l.sites = nil
		l.mu.Unlock()
		return fmt.Errorf("open event log in %s: %w", l.opts.Dir, errors.Join(err, l.release()))
	}
	return nil
}

func (l *Log) openDatabase(ctx context.Context) error {
	if err := l.resumeSalvage(); err != nil {
		return err
	}
	last := readRecord(l.lock)
	found, err := inspect(l.path, last)
	if err != nil {
		return err
	}
	var c *checked
	var wrong []string
	if found == newFile {
		err = l.create()
	} else {
		c, wrong, err = l.check(ctx, found)
	}
	if err == nil && c != nil && len(wrong) == 0 {
		wrong, err = l.unreadFrames(last, c)
	}
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		l.damaged(len(wrong))
		if err := l.salvage(ctx, wrong); err != nil {
			return err
		}
	}
	if c == nil || len(wrong) > 0 {
		if c, wrong, err = l.check(ctx, existingFile); err == nil && len(wrong) > 0 {
			err = fmt.Errorf("%w after its repair: %q", errCorrupt, wrong)
		}
		if err != nil {
			return err
		}
	} else if err := l.compare(last, c); err != nil {
		return err
	}
	return worded(l.start(c))
}

// What a file can be before SQLite has looked at it.
type fileState int

const (
	newFile     fileState = iota // there is no log yet
	missingFile                  // there is none, or an empty one, but a record says that there was more
	existingFile
)

// inspect says what the database file is, without changing anything. What is not ours is an error.
func inspect(path string, last *commits) (fileState, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	empty := newFile
	if wal, err := os.Stat(path + walSuffix); last != nil && last.tx > 0 || err == nil && wal.Size() > 0 {
		empty = missingFile
	}
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return 0, explain(err, path)
	}
	defer f.Close()
	var head [100]byte
	switch n, err := io.ReadFull(f, head[:]); {
	case n == 0 && err == io.EOF:
		return empty, nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return 0, err
	}
	const magic = "SQLite format 3\x00"
	app, version := binary.BigEndian.Uint32(head[68:]), int(binary.BigEndian.Uint32(head[60:]))
	switch {
	case last != nil && last.schema <= schemaVersion: // then whatever is wrong with it is damage
		return existingFile, nil
	case string(head[:len(magic)]) != magic || app != applicationID:
		return 0, fmt.Errorf("%s is not a database of proofstream; move it away or choose another directory", path)
	case version > schemaVersion:
		return 0, fmt.Errorf("%s was written by a newer version of proofstream (schema %d, this one knows %d); run that version", path, version, schemaVersion)
	}
	return existingFile, nil
}

// create makes the database of a new log. It gets its name when it is complete, so that a crash leaves nothing that
// looks damaged.
func (l *Log) create() error {
	fresh := l.path + newSuffix
	err := removeDatabase(fresh)
	if err == nil {
		err = createDatabase(fresh, rand.Text())
	}
	if err == nil {
		err = syncFile(fresh)
	}
	if err == nil {
		err = os.Rename(fresh, l.path)
	}
	if err != nil {
		return explain(err, l.path)
	}
	return l.syncDir(l.opts.Dir)
}

// createDatabase makes a new database.
func createDatabase(path, instance string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return explain(err, path)
	}
	f.Close()
	c, err := openConn(path, writing)
	if err != nil {
		return err
	}
	err = errors.Join(createSchema(c, metaRow{instance: instance}), c.close())
	if err != nil {
		return fmt.Errorf("create %s: %s (%w)", path, inWords(err), err)
	}
	return nil
}

// createSchema fills an empty database. The write-ahead log comes last: SQLite does not tell when it cannot move the content
// of that to the file on close.
func createSchema(c *conn, m metaRow) error {
	statements := append([]string{
		"PRAGMA journal_mode = OFF", // a crash begins again
		"BEGIN IMMEDIATE",
		fmt.Sprintf("PRAGMA application_id = %d", applicationID),
		fmt.Sprintf("PRAGMA user_version = %d", schemaVersion),
	}, schema...)
	for _, sql := range statements {
		if err := c.exec(sql); err != nil {
			return err
		}
	}
	if err := c.exec("INSERT INTO meta VALUES (1, ?, ?, ?)", m.instance, m.open, m.sum()); err != nil {
		return err
	}
	return errors.Join(c.exec("COMMIT"), c.exec("PRAGMA journal_mode = WAL"))
}

// compare tells the loss of the newest commits, which the database itself cannot show. The new epochs give a gap
// to every cursor from what is lost.
func (l *Log) compare(last *commits, c *checked) error {
	switch {
	case last == nil:
	case last.instance != c.meta.instance:
		l.opts.Logger.Info("the database is not the one that was here before", "dir", l.opts.Dir)
	case last.tx <= c.tx:
	case c.meta.open == 0:
		l.opts.Logger.Info("the database is a backup; cursors of newer events get a gap", "dir", l.opts.Dir, "lost_commits", last.tx-c.tx)
	default:
		l.damaged(1)
		l.opts.Logger.Error("the newest commits of the event log are lost: its files were replaced or removed; cursors from before get a gap",
			"dir", l.opts.Dir, "lost_commits", last.tx-c.tx)
		for _, s := range c.sites {
			if err := s.setHistory(s.history.Damaged(s.high)); err != nil {
				return err
			}
		}
	}
	return nil
}

// start opens the connections and begins a new epoch of each site.
func (l *Log) start(c *checked) error {
	// Ext4 and others then need not journal the times of the file at each commit. SQLite's own default.
	sqlite.Fdatasync(true)
	file, err := os.Open(l.path)
	if err != nil {
		return err
	}
	if l.identity, err = file.Stat(); err != nil {
		return errors.Join(err, file.Close())
	}
	conn, err := openConn(l.path, writing)
	if err == nil {
		err = conn.exec("PRAGMA journal_mode = WAL") // which a backup has not
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	l.writer = &writer{log: l, conn: conn, file: file, tx: c.tx, due: 0, unclean: true, quarantined: map[int64]bool{}}
	l.instance = c.meta.instance
	l.mu.Lock()
	l.sites = c.sites
	l.mu.Unlock()
	for range readers {
		r, err := openConn(l.path, reading)
		if err != nil {
			return err
		}
		l.pooled++
		l.readers <- r
	}
	// First, because the write-ahead log may have pages whose sync failed before a crash: they can be read, but are not on
	// disk, and a power cut would lose every commit after them. Last, because that the database is open has to be in its
	// file: the write-ahead log may be what gets lost.
	for _, step := range []func() error{l.writer.truncate, func() error { return l.writer.setOpen(1) }, l.writer.truncate} {
		if err := step(); err != nil && !errors.Is(err, errBusy) {
			return err
		}
	}
	begin := &request{ctx: context.Background(), do: func(t *tx) error { return t.begin(l.opts.Sites) }}
	return l.writer.write([]*request{begin}, true)
}

// begin opens a new epoch of every site, and creates those that are new.
func (t *tx) begin(names []string) error {
	for name := range t.log.sites {
		s, err := t.site(name)
		if err != nil {
			return err
		}
		if err := s.setHistory(s.history.Open(s.high)); err != nil {
			return err
		}
	}
	for _, name := range names {
		if !stream.ValidSite(name) {
			return fmt.Errorf("%q is not a site name", name)
		}
		if t.known(name) == nil {
			if _, err := t.create(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// setOpen records whether a process has the database open.
func (w *writer) setOpen(open int64) error {
	return writeMeta(w.conn, metaRow{instance: w.log.instance, open: open})
}
