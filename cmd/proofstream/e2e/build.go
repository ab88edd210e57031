package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"proofstream/stream/natslog/natstest"
)

// RunTests runs the tests of a package, closes the browser, removes the built programs and exits. TestMain calls it.
func RunTests(m *testing.M) {
	status := m.Run()
	closeBrowser()
	natstest.Remove()
	for _, dir := range built {
		os.RemoveAll(dir)
	}
	os.Exit(status)
}

var (
	// testedBinary is the program, with the race detector when the tests have it.
	testedBinary = buildOnce("proofstream/cmd/proofstream", raceFlags...)
	// shippedBinary is the program without the race detector, as it is released.
	shippedBinary = buildOnce("proofstream/cmd/proofstream")
)

var (
	building sync.Mutex // guards built
	built    []string   // directories that RunTests removes
)

// buildOnce returns a function that builds a package on its first call, and returns the path of the result on every call.
func buildOnce(which string, flags ...string) func() (path string, err error) {
	return sync.OnceValues(func() (string, error) {
		building.Lock()
		defer building.Unlock()
		dir, err := os.MkdirTemp("", "proofstream-built")
		if err != nil {
			return "", err
		}
		built = append(built, dir)
		path := filepath.Join(dir, "program")
		args := append(append([]string{"build"}, flags...), "-o", path, which)
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", which, err, out)
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
