package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// atEnd is done when all tests have ended.
var atEnd []func()

// Programs built once for all tests of this run: the real server of NATS, and this one as it is shipped, without the race
// detector.
var (
	natsBinary    = builtOnce("github.com/nats-io/nats-server/v2")
	shippedBinary = builtOnce(".")
)

var building sync.Mutex // guards atEnd

func builtOnce(which string) func() (path string, err error) {
	return sync.OnceValues(func() (string, error) {
		building.Lock()
		defer building.Unlock()
		dir, err := os.MkdirTemp("", "proofstream-built")
		if err != nil {
			return "", err
		}
		atEnd = append(atEnd, func() { os.RemoveAll(dir) })
		path := filepath.Join(dir, "program")
		if out, err := exec.Command("go", "build", "-o", path, which).CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", which, err, out)
		}
		return path, nil
	})
}

// startShipped is start with the program as it is shipped.
func startShipped(t *testing.T, env ...string) *program {
	t.Helper()
	slow(t)
	binary, err := shippedBinary()
	if err != nil {
		t.Fatal(err)
	}
	return startVia(t, []string{"sh", "-c", `exec "$SHIPPED"`}, append(env, "SHIPPED="+binary)...)
}
