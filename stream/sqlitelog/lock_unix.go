//go:build unix

package sqlitelog

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// tryLock locks a file until the file is closed or the process ends. It returns false when another process has locked the file.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// ownership returns who owns a file or directory and what to do, when that is another user than the process's; otherwise "".
func ownership(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return ""
	}
	dir := path
	if !info.IsDir() {
		dir = filepath.Dir(path)
	}
	return fmt.Sprintf("; %s belongs to user %s, this process runs as user %s: chown -R %[3]s %s",
		path, userName(int(stat.Uid)), userName(os.Geteuid()), dir)
}

func userName(id int) string {
	if u, err := user.LookupId(strconv.Itoa(id)); err == nil {
		return u.Username
	}
	return strconv.Itoa(id)
}

// unsupportedSync reports whether an error means that the file system cannot sync directories.
func unsupportedSync(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP)
}

// syncDir is Log.syncDir without its log line. The error may be one that unsupportedSync knows.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
