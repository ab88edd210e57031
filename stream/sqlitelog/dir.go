package sqlitelog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	lockFile    = "proofstream.lock"
	lockEvery   = 100 * time.Millisecond
	slowLocking = 5 * time.Second
)

// takeDir creates the directory if it is missing and locks it.
func (l *Log) takeDir(ctx context.Context) error {
	dir := l.opts.Dir
	if err := l.makeDir(dir); err != nil {
		return explain(err, dir)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return explain(err, dir)
	}
	l.lock = f
	return l.takeLock(ctx)
}

// makeDir creates a directory and those above it, as far as they are missing, and puts each on disk.
func (l *Log) makeDir(dir string) error {
	if exists(dir) {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := l.makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return l.syncDir(parent)
}

// takeLock waits until the directory is free, at most for Options.Wait.
func (l *Log) takeLock(ctx context.Context) error {
	deadline := time.Now().Add(l.opts.Wait)
	for said := false; ; said = true {
		free, err := l.tryLockInTime(ctx)
		if free || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("another process holds it; stop that one or choose another directory")
		}
		if !said {
			l.opts.Logger.Info("waiting for the data directory, held by another process", "dir", l.opts.Dir, "longest", l.opts.Wait)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockEvery):
		}
	}
}

// tryLockInTime tells the operator when the file system itself does not answer, as NFS may.
func (l *Log) tryLockInTime(ctx context.Context) (free bool, err error) {
	done := make(chan struct{})
	go func() {
		free, err = tryLock(l.lock)
		close(done)
	}()
	slow := time.After(slowLocking)
	for {
		select {
		case <-done:
			return free, err
		case <-slow:
			l.opts.Logger.Warn("waiting for the file system to lock a file; network file systems may not be able to", "file", l.lock.Name())
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// syncDir puts on disk which files a directory has.
func (l *Log) syncDir(dir string) error {
	err := syncDir(dir)
	if !unsupportedSync(err) {
		return err
	}
	if !l.unsynced {
		l.opts.Logger.Warn("this file system cannot sync directories: after a power cut soon after the first start, the log's files may be missing",
			"dir", dir)
	}
	l.unsynced = true
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// syncFile puts the content of a file on disk.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// explain says what to do about a path that cannot be used.
func explain(err error, path string) error {
	info, statErr := os.Stat(path)
	switch {
	case statErr == nil && filepath.Base(path) == databaseFile && info.IsDir():
		return fmt.Errorf("%s is a directory; move it away", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: let this user read and write it, or choose another directory%s", err, ownership(path))
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: mount it for writing, or choose another directory", err)
	case statErr == nil && filepath.Base(path) != databaseFile && !info.IsDir():
		return fmt.Errorf("%s is not a directory; choose another path or move the file away", path)
	}
	return err
}
