// Package e2e is the harness of the end-to-end tests. It runs the real program, browsers, proxies, a cluster of NATS servers and
// clients of the event stream. Its subfolders hold the tests, one folder for each group of promises. Only tests import it.
//
// To run the program, use [Start]; to read a stream, [Server.Listen] or [Server.Follow]; for a page in Chromium, [Tab]; for a
// proxy that changes or cuts responses, [StartHTTPProxy]; for a cluster, [StartNATS].
package e2e

import (
	"os"
	"os/exec"
	"testing"
)

// Slow skips a test with -short. A slow test takes seconds, starts a browser or a cluster, or compiles a program. Without the
// slow tests the suite takes less than a minute on two cores.
func Slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds: run without -short")
	}
}

// Long reports whether tests may take minutes: PROOF_TEST_LONG is set.
var Long = os.Getenv("PROOF_TEST_LONG") != ""

// Strong skips a test unless PROOF_TEST_LONG=1 is set, as it is every night: a smaller version would show little.
func Strong(t *testing.T) {
	t.Helper()
	if !Long {
		t.Skip("takes minutes: set PROOF_TEST_LONG=1")
	}
}

// Scaled returns ordinary, or full when Long is set.
func Scaled(ordinary, full int) int {
	if Long {
		return full
	}
	return ordinary
}

// Need skips a test when the program name is not in PATH. With CI=true it fails the test.
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
