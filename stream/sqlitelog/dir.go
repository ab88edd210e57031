package sqlitelog

import (
	"cmp"
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
	// lockFile is the name of the file that a process locks while it runs the log.
	lockFile = "proofstream.lock"
	// lockRetryDelay is the delay between two tries to lock the file.
	lockRetryDelay = 20 * time.Millisecond
	// lockWarnAfter is how long one try may take before a log line says so.
	lockWarnAfter = 5 * time.Second
)

// lockDir creates the directory if it is missing, and locks it.
func (l *Log) lockDir(ctx context.Context) error {
	dir := l.opts.Dir
	if err := l.makeDir(dir); err != nil {
		return explain(err, dir)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return explain(err, dir)
	}
	l.lock = f
	if err := shareWithGroup(f); err != nil {
		return explain(err, dir)
	}
	return l.waitForLock(ctx)
}

// makeDir creates a directory and its parents where they are missing, and syncs them.
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

// waitForLock waits until it has locked the directory, for Options.Wait at most.
func (l *Log) waitForLock(ctx context.Context) error {
	deadline := time.Now().Add(l.opts.Wait)
	for logged := false; ; logged = true {
		free, err := l.tryLockLoud(ctx)
		if free || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("another process holds it; stop that one or choose another directory")
		}
		if !logged {
			l.opts.Logger.Info("waiting for the data directory, held by another process", "dir", l.opts.Dir, "longest", l.opts.Wait)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockRetryDelay):
		}
	}
}

// tryLockLoud is tryLock with a log line when the file system does not respond, as can happen with NFS.
func (l *Log) tryLockLoud(ctx context.Context) (free bool, err error) {
	done := make(chan struct{})
	go func() {
		free, err = tryLock(l.lock)
		close(done)
	}()
	slow := time.After(lockWarnAfter)
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

// syncDir syncs a directory, so that the names in it survive a power cut.
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

// syncFile syncs a file.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// explain adds to an error what the operator can do about a path that cannot be used.
func explain(err error, path string) error {
	info, statErr := os.Stat(path)
	switch {
	case statErr == nil && filepath.Base(path) == databaseFile && info.IsDir():
		return fmt.Errorf("%s is a directory; move it away", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: let this user read and write it, or choose another directory%s", err, ownership(cmp.Or(failedFile(err), path)))
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: mount it for writing, or choose another directory", err)
	case statErr == nil && filepath.Base(path) != databaseFile && !info.IsDir():
		return fmt.Errorf("%s is not a directory; choose another path or move the file away", path)
	}
	return err
}

// failedFile returns the path that an error is about, when there is such a file; otherwise "". In a directory of this user it may be another
// user's, as after a run as root.
func failedFile(err error) string {
	var failed *fs.PathError
	if !errors.As(err, &failed) {
		return ""
	}
	if info, err := os.Stat(failed.Path); err != nil || info.IsDir() {
		return ""
	}
	return failed.Path
}

// shareWithGroup lets the group of a file's directory read and write the file, where it may write the directory: some clusters run each
// container as a random user of one group. A file of another user stays as it is.
func shareWithGroup(f *os.File) error {
	dir, err := os.Stat(filepath.Dir(f.Name()))
	if err != nil || dir.Mode().Perm()&0o020 == 0 {
		return err
	}
	if err := f.Chmod(0o660); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}
