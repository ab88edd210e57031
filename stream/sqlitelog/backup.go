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
		err = syncDir(filepath.Dir(file))
	}
	if err != nil && !unsupportedSync(err) {
		return fmt.Errorf("back up %s to %s: %w", dir, file, err)
	}
	return nil
}

// copyTo fills an empty file and gives it another name.
func copyTo(ctx context.Context, from string, partial *os.File, to string) error {
	defer partial.Close()
	c, err := openReading(from)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.execContext(ctx, "VACUUM INTO ?", partial.Name()); err != nil {
		return worded(err)
	}
	if err := errors.Join(markClosed(partial.Name()), partial.Sync()); err != nil {
		return err
	}
	return os.Link(partial.Name(), to) // unlike a rename, never replaces a file that has come meanwhile
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
