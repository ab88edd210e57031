package docs

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// systemd accepts the unit file.
func TestUnitIsOneThatSystemdReads(t *testing.T) {
	e2e.Need(t, "systemd-analyze")
	path := t.TempDir() + "/proofstream.service"
	unit := strings.ReplaceAll(e2e.TextOf(t, ".github/systemd/proofstream.service"), "ExecStart=proofstream\n", "ExecStart="+e2e.Binary(t)+"\n") // must exist for systemd-analyze
	if err := os.WriteFile(path, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", path).CombinedOutput(); err != nil || strings.Contains(string(out), "proofstream.service") {
		t.Errorf("%v\n%s", err, out)
	}
}
