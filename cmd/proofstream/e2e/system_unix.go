//go:build unix

package e2e

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// lock waits until no other process holds a lock on a file, and holds one until unlock is called.
func lock(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f.Close, nil // closing drops the lock
}

// NeedDescriptors skips a test when this process may not open n file descriptors.
func NeedDescriptors(t *testing.T, n int) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < uint64(n) {
		t.Skipf("needs %d descriptors, has %d: raise ulimit -n", n, limit.Cur)
	}
}
