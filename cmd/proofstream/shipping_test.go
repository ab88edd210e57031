package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestUnitIsOneThatSystemdReads(t *testing.T) {
	need(t, "systemd-analyze")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/proofstream.service"
	unit := strings.ReplaceAll(textOf(t, ".github/systemd/proofstream.service"), "/usr/local/bin/proofstream", self) // which must exist
	if err := os.WriteFile(path, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", path).CombinedOutput(); err != nil || strings.Contains(string(out), "proofstream.service") {
		t.Errorf("%v\n%s", err, out)
	}
}
