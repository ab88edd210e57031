package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// lines are a file's lines without comments.
func linesOf(t *testing.T, path string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := make(map[string]bool)
	for line := range strings.Lines(string(text)) {
		lines[strings.TrimSpace(line)] = true
	}
	return lines
}

func TestUnitIsHardened(t *testing.T) {
	unit := linesOf(t, "../../.github/systemd/proofstream.service")
	for _, want := range []string{
		"NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "DynamicUser=yes", "StateDirectory=proofstream",
		"Environment=PROOF_DATA_DIR=%S/proofstream", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "SystemCallFilter=@system-service",
		"RestartPreventExitStatus=2",
	} {
		if !unit[want] {
			t.Errorf("the unit lacks %s", want)
		}
	}
}

func TestUnitIsOneThatSystemdReads(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze here")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../.github/systemd/proofstream.service")
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/proofstream.service"
	unit := strings.ReplaceAll(string(text), "/usr/local/bin/proofstream", self) // which must exist
	if err := os.WriteFile(path, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", path).CombinedOutput(); err != nil || strings.Contains(string(out), "proofstream.service") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestImageIsSmallAndWithoutRights(t *testing.T) {
	recipe := linesOf(t, "Containerfile")
	for _, want := range []string{"FROM scratch", "USER 65532:65532", "VOLUME /data", `ENTRYPOINT ["/proofstream"]`} {
		if !recipe[want] {
			t.Errorf("the recipe lacks %s", want)
		}
	}
	text, err := os.ReadFile("Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "CGO_ENABLED=0 go build") {
		t.Error("the program in the image is not a static one")
	}
}

func TestReleasesCoverEveryPlatform(t *testing.T) {
	for _, path := range []string{"../../.github/workflows/release.yml", "../../.github/workflows/ci.yml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"goos: [linux, darwin]", "goarch: [amd64, arm64]", `CGO_ENABLED: "0"`, "run: .ci/run"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %s", path, want)
			}
		}
	}
}
