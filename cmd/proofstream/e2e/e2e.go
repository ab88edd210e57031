// Package e2e runs the real program, and everything that tests drive around it: browsers, proxies, a cluster of NATS servers,
// readers of streams. Its subfolders hold the end-to-end tests, a folder for each group of promises. Only tests import it.
//
// To run the program, use [Start]; to read a stream, [Server.Listen] or [Server.Follow]; for a page in Chromium, [Tab]; for a
// proxy that changes or cuts responses, [StartHTTPProxy]; for a cluster, [StartNATS].
package e2e

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// Slow skips a test with -short. It is for tests that take seconds, start a browser or a cluster, or compile a program;
// without them the suite answers within a minute on two cores.
func Slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds: run without -short")
	}
}

// Long is set where tests may take minutes, PROOF_TEST_LONG=1.
var Long = os.Getenv("PROOF_TEST_LONG") != ""

// Scaled returns the number for the ordinary suite, or the full one with PROOF_TEST_LONG=1.
func Scaled(ordinary, full int) int {
	if Long {
		return full
	}
	return ordinary
}

// Need skips a test where a program is missing; with CI=true that is a failure.
func Need(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no %s: install it", name)
	}
	t.Skipf("no %s: install it to run this test", name)
}

// NeedDescriptors skips a test where this process may not open n files.
func NeedDescriptors(t *testing.T, n int) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < uint64(n) {
		t.Skipf("needs %d descriptors, has %d: raise ulimit -n", n, limit.Cur)
	}
}
