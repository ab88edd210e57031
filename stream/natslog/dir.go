package natslog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// prepare makes dir, if need be, and proves that files can be written there: the server itself
// would tell a bad directory only by not starting.
func prepare(dir string) error {
	switch err := os.MkdirAll(dir, 0o700); {
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s is not a directory; choose another path or move the file away", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s cannot be created (%w); create it for this user or choose another directory", dir, err)
	case err != nil:
		return fmt.Errorf("create %s: %w", dir, err)
	}
	return probe(dir, 4096)
}

// probe writes, syncs and removes a file of so many bytes in dir.
func probe(dir string, size int) error {
	err := writeSynced(filepath.Join(dir, ".probe"), make([]byte, size))
	os.Remove(filepath.Join(dir, ".probe"))
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("no space left for %s (%w); free some or move the directory to a larger disk", dir, err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s is on a read-only file system (%w); mount it for writing or choose another directory", dir, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s is not writable for this user (%w); change its owner or choose another directory", dir, err)
	case err != nil:
		return fmt.Errorf("write to %s: %w", dir, err)
	}
	return nil
}

// writeSynced writes a file and returns when its content is on disk.
func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncFile puts a file's content on disk. One that does not exist has none.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// writeAgain puts a file's content on disk by writing every byte of it where it is.
func writeAgain(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(f)
	if err == nil {
		_, err = f.WriteAt(data, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// replace puts data at path, so that a crash leaves either the old content or the new.
func replace(path string, data []byte) error {
	if err := writeSynced(path+".tmp", data); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir puts on disk which files a directory has. Windows does that by itself, and only so.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
