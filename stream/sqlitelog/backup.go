package sqlitelog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Backup writes a consistent copy of the log in dir to a new file, also while a process runs the log. The copy has every event that was
// acknowledged before the call. The error wraps fs.ErrExist when the file exists, and fs.ErrNotExist when there is no log.
//
// To restore the copy, put it in place of a log's database while no process runs the log, and remove the -wal and -shm files. Cursors of
// events after the backup then get a gap.
func Backup(ctx context.Context, dir, file string) error {
	if file == "" {
		return errors.New("back up: the name of the file is empty")
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("back up to %s: %w", file, errors.Join(err, fs.ErrExist))
	}
	partial, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".partial-")
	if err == nil {
		err = errors.Join(copyTo(ctx, filepath.Join(dir, databaseFile), partial, file), os.Remove(partial.Name()))
	}
	if err == nil {
		if err = syncDir(filepath.Dir(file)); unsupportedSync(err) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("back up %s to %s: %w", dir, file, err)
	}
	return nil
}

// copyTo writes a copy of the database to an empty file, syncs it and gives it its final name.
func copyTo(ctx context.Context, from string, partial *os.File, to string) error {
	defer partial.Close()
	c, err := openReading(from)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.execContext(ctx, "VACUUM INTO ?", partial.Name()); err != nil {
		return describe(err)
	}
	if err := errors.Join(setClosed(partial.Name()), partial.Sync()); err != nil {
		return err
	}
	return os.Link(partial.Name(), to) // unlike a rename, it does not replace a file that was created meanwhile
}

// setClosed records in a copy that no process has it open. Otherwise a start would report that the database has lost commits.
func setClosed(path string) error {
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
		return nil, fmt.Errorf("open %s: %w", path, describe(err))
	}
	return c, nil
}
