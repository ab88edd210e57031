package main

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// The end-to-end tests start the real program: the test binary runs main when beTheProgram is set, so that what is tested
// is always what was compiled, with the race detector when the tests have it.
const beTheProgram = "BE_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(beTheProgram) != "" {
		os.Unsetenv(beTheProgram)
		main()
	}
	status := m.Run()
	closeBrowser()
	for _, f := range atEnd {
		f()
	}
	os.Exit(status)
}

// patience is how long a test waits for a fact before it gives up. It is no measure of speed: two busy cores and the race
// detector make everything slow at times.
const patience = 30 * time.Second

// slow skips a test with -short. It is for tests that take seconds, start a browser or a cluster, or compile a program;
// without them the suite answers within a minute on two cores.
func slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds: run without -short")
	}
}

// long is set where tests may take minutes, PROOF_TEST_LONG=1.
var long = os.Getenv("PROOF_TEST_LONG") != ""

// scaled returns the number for the ordinary suite, or the full one with PROOF_TEST_LONG=1.
func scaled(ordinary, full int) int {
	if long {
		return full
	}
	return ordinary
}

// until waits for a fact. When it does not come, the test fails with what state returns.
func until(t testing.TB, within time.Duration, fact func() bool, state func() string) {
	t.Helper()
	if !comes(within, fact) {
		t.Fatalf("not within %v: %s", within, state())
	}
}

// comes reports whether a fact comes within a time.
func comes(within time.Duration, fact func() bool) bool {
	pause := time.Millisecond
	for deadline := time.Now().Add(within); !fact(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			return false
		}
		pause = min(2*pause, 10*time.Millisecond)
	}
	return true
}

// need skips a test where a program is missing; with CI=true that is a failure.
func need(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no %s: install it", name)
	}
	t.Skipf("no %s: install it to run this test", name)
}

// needDescriptors skips a test where this process may not open n files.
func needDescriptors(t *testing.T, n int) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < uint64(n) {
		t.Skipf("needs %d descriptors, has %d: raise ulimit -n", n, limit.Cur)
	}
}
