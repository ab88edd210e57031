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

// RunTests is for TestMain: it runs the tests of a package, and then ends the browser and removes what was built.
func RunTests(m *testing.M) {
	status := m.Run()
	closeBrowser()
	natstest.Remove()
	for _, dir := range built {
		os.RemoveAll(dir)
	}
	os.Exit(status)
}

// Programs, each built once for all tests of a package: this one, with the race detector when the tests have it, and as it
// is shipped, without.
var (
	testedBinary  = buildOnce("proofstream/cmd/proofstream", raceFlags...)
	shippedBinary = buildOnce("proofstream/cmd/proofstream")
)

var (
	building sync.Mutex // guards built
	built    []string   // directories that RunTests removes
)

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

// StartShipped is start with the program as it is shipped.
func StartShipped(t *testing.T, env ...string) *Program {
	t.Helper()
	Slow(t)
	path, err := shippedBinary()
	if err != nil {
		t.Fatal(err)
	}
	return StartVia(t, []string{"sh", "-c", `exec "$SHIPPED"`}, append(env, "SHIPPED="+path)...)
}
