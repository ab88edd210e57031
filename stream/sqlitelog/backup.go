package sqlitelog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Backup writes a consistent copy of the log in dir to a new file, also while a process runs the log. The copy has
// every event that was acknowledged before Backup began. The error is fs.ErrExist when the file is there already,
// and fs.ErrNotExist when there is no log. Put in place of a log's database, while no process runs it and without
// its -wal and -shm files, the copy is that log at the time of the backup: cursors of later events get a gap.
func Backup(ctx context.Context, dir, file string) error {
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("back up to %s: %w", file, errors.Join(err, fs.ErrExist))
	}
	partial := file + ".partial"
	err := copyDatabase(ctx, filepath.Join(dir, databaseFile), partial)
	if err == nil {
		err = os.Link(partial, file) // unlike a rename, never replaces a file that has come meanwhile
	}
	err = errors.Join(err, os.Remove(partial))
	if err == nil {
		err = syncDir(filepath.Dir(file))
	}
	if err != nil && !unsupportedSync(err) {
		return fmt.Errorf("back up %s to %s: %w", dir, file, err)
	}
	return nil
}

func copyDatabase(ctx context.Context, from, to string) error {
	c, err := openReading(from)
	if err != nil {
		return err
	}
	defer c.close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := c.execContext(ctx, "VACUUM INTO ?", to); err != nil {
		return err
	}
	if err := markClosed(to); err != nil {
		return err
	}
	return f.Sync()
}

// markClosed has a copy say that no process has it open: then it is not taken for a database that has lost commits.
func markClosed(path string) error {
	c, err := openConn(path, writing)
	if err != nil {
		return err
	}
	m, err := readMeta(c)
	if err == nil {
		m.open = 0
		err = writeMeta(c, m)
	}
	return errors.Join(err, c.close())
}

// openReading opens a database that another process may be writing, without changing it.
func openReading(path string) (*conn, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, explain(err, path)
	}
	c, err := openConn(path, reading)
	if err != nil {
		return nil, fmt.Errorf("open %s: %s (%w)", path, inWords(err), err)
	}
	return c, nil
}
