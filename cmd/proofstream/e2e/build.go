package e2e

import (
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"proofstream/stream/natslog/natstest"
)

// RunWaitingTests is RunTests for tests that wait most of the time, for a browser or for elections in a cluster: at least four of
// those with t.Parallel run at a time, however few cores there are.
func RunWaitingTests(m *testing.M) {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel").Value; runtime.GOMAXPROCS(0) < 4 && parallel.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		_ = parallel.Set("4") // a number that the flag takes
	}
	RunTests(m)
}

// RunTests runs the tests of a package, closes the browser and exits. TestMain calls it.
func RunTests(m *testing.M) {
	status := m.Run()
	closeBrowser()
	natstest.Remove()
	os.Exit(status)
}

var (
	// testedBinary is the program, with the race detector when the tests have it.
	testedBinary = buildOnce("tested", raceFlags...)
	// shippedBinary is the program without the race detector, as it is released.
	shippedBinary = buildOnce("shipped")
)

// buildOnce returns a function that builds the program on its first call, and returns its path on every call. The tests of all
// packages share the file, which stays in the temporary directory: the go command links it again only after a change.
func buildOnce(name string, flags ...string) func() (path string, err error) {
	return sync.OnceValues(func() (string, error) {
		checkout := crc32.ChecksumIEEE([]byte(Root)) // another checkout has a program of its own
		path := filepath.Join(os.TempDir(), fmt.Sprintf("proofstream-e2e-%08x-%s", checkout, name))
		unlock, err := lock(path + ".lock")
		if err != nil {
			return "", err
		}
		defer unlock()
		args := append(append([]string{"build"}, flags...), "-o", path, "proofstream/cmd/proofstream")
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("build the program: %w\n%s", err, out)
		}
		return path, nil
	})
}

// Binary returns the path of the program under test.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := testedBinary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// StartShipped is Start with the program as it is released, without the race detector. It skips the test with -short.
func StartShipped(t *testing.T, env ...string) *Program {
	t.Helper()
	Slow(t)
	path, err := shippedBinary()
	if err != nil {
		t.Fatal(err)
	}
	return StartVia(t, []string{"sh", "-c", `exec "$SHIPPED"`}, append(env, "SHIPPED="+path)...)
}
