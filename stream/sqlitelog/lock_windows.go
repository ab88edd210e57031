package sqlitelog

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks a file until the file is closed or the process ends. It returns false when another process has locked the file. It locks one
// byte far behind the end, because nobody else can read a locked byte and the record at the start is for everybody.
func tryLock(f *os.File) (bool, error) {
	at := &windows.Overlapped{OffsetHigh: math.MaxInt32}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

// ownership returns nothing: Windows has access lists, of which the owner is the least.
func ownership(string) string { return "" }

// syncDir does nothing: Windows cannot sync a directory, and NTFS keeps names in a journal of its own.
func syncDir(string) error { return nil }

// unsupportedSync returns false: no sync of a directory fails.
func unsupportedSync(error) bool { return false }
