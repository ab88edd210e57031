package sqlitelog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"modernc.org/sqlite"

	"proofstream/stream"
)

// Open locks the directory, checks the files, salvages the intact rows of a damaged database, and opens a new epoch of each site. Its error
// says what the operator can do. After an error, Open can be called again.
func (l *Log) Open(ctx context.Context) error {
	err := l.lockDir(ctx)
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
	} else if err := l.checkCommits(last, c); err != nil {
		return err
	}
	return describe(l.start(c))
}

// fileState says what is known of the database file before SQLite opens it.
type fileState int

const (
	// newFile means that there is no log yet.
	newFile fileState = iota
	// missingFile means that there is no file, or an empty one, although the record or the write-ahead log shows that there was a log.
	missingFile
	// existingFile means that there is a file, which may be damaged.
	existingFile
)

// inspect says what the database file is, without changing it. A file that is not a database of this program is an error.
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
	case last != nil && last.schema <= schemaVersion: // this program wrote it: any other content is damage
		return existingFile, nil
	case string(head[:len(magic)]) != magic || app != applicationID:
		return 0, fmt.Errorf("%s is not a database of proofstream; move it away or choose another directory", path)
	case version > schemaVersion:
		return 0, fmt.Errorf("%s was written by a newer version of proofstream (schema %d, this one knows %d); run that version", path, version, schemaVersion)
	}
	return existingFile, nil
}

// checkCommits compares the database with the record of the last commit, and reports the loss of the newest commits, which the database itself
// cannot show. Cursors of lost events get a gap.
func (l *Log) checkCommits(last *commits, c *checked) error {
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

// start opens the connections and a new epoch of each site.
func (l *Log) start(c *checked) error {
	// With fdatasync, which is SQLite's own default, ext4 and others need not journal the times of the file at each commit.
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
	if err := l.openReaders(); err != nil {
		return err
	}
	// The first truncation: the write-ahead log may have pages whose sync failed before a crash. They can be read, but are not on disk, and a
	// power cut would lose every commit after them. The second one: the database file itself has to say that the database is open,
	// because the write-ahead log may be lost.
	for _, step := range []func() error{l.writer.truncate, func() error { return l.writer.setOpen(1) }, l.writer.truncate} {
		if err := step(); err != nil && !errors.Is(err, errBusy) {
			return err
		}
	}
	begin := &request{ctx: context.Background(), do: func(t *tx) error { return t.openEpochs(l.opts.Sites) }}
	return l.writer.write([]*request{begin}, true)
}

// openReaders opens the connections for reading.
func (l *Log) openReaders() error {
	for range readers {
		r, err := openConn(l.path, reading)
		if err != nil {
			return err
		}
		l.pooled++
		l.readers <- r
	}
	return nil
}

// openEpochs opens a new epoch of every site, and creates the new sites.
func (t *tx) openEpochs(names []string) error {
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
		if err := stream.CheckSite(name); err != nil {
			return err
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
