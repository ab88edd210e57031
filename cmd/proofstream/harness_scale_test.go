package main

import (
	"os"
	"syscall"
	"testing"
)

// long is set where soaks may take minutes, PROOF_TEST_LONG=1.
var long = os.Getenv("PROOF_TEST_LONG") != ""

// scaled returns the number for the ordinary suite, or the full one in a soak.
func scaled(ordinary, full int) int {
	if long {
		return full
	}
	return ordinary
}

// descriptors makes sure that this process may open n files, and skips the test where it may not.
func descriptors(t *testing.T, n int) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < uint64(n) {
		t.Skipf("needs %d descriptors, has %d: raise ulimit -n", n, limit.Cur)
	}
}
