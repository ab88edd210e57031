package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// Each file that the packages contain or run exists, the scripts are well-formed, and the unit finds program and configuration where
// the packages put them.
func TestPackagesContainWhatTheUnitNeeds(t *testing.T) {
	const dir = ".github/packages/"
	config := e2e.TextOf(t, dir+"nfpm.yaml")
	named := regexp.MustCompile(`(?m)^\s*(?:- src|\w+): (\.github/\S+|\.env\.example|LICENSE)$`).FindAllStringSubmatch(config, -1)
	if len(named) < 8 {
		t.Fatalf("found only %q in nfpm.yaml", named)
	}
	for _, m := range named {
		if _, err := os.Stat(filepath.Join(e2e.Root, m[1])); err != nil {
			t.Errorf("nfpm.yaml: %v", err)
		}
	}
	for _, script := range []string{"installed", "removing", "user", "openrc"} {
		if out, err := exec.Command("sh", "-n", filepath.Join(e2e.Root, dir, script)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
	unit := e2e.TextOf(t, ".github/systemd/proofstream.service")
	if !strings.Contains(config, "dst: /usr/bin/proofstream\n") || !strings.Contains(unit, "\nExecStart=proofstream\n") {
		t.Error("the unit does not find the program in /usr/bin")
	}
	file := regexp.MustCompile(`(?m)^EnvironmentFile=-(\S+)$`).FindStringSubmatch(unit)
	if file == nil || !strings.Contains(config, "dst: "+file[1]+".example\n") {
		t.Errorf("the unit reads %q, and the packages have no example of it", file)
	}
}

// An upgrade of a package does not stop the service: the script that runs before a removal does nothing then, with dpkg and with rpm.
func TestUpgradeDoesNotStopTheService(t *testing.T) {
	script := e2e.TextOf(t, ".github/packages/removing")
	dir := t.TempDir()
	script = strings.ReplaceAll(script, "/run/systemd/system", dir)
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\necho \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ argument, want string }{
		"dpkg upgrades": {"upgrade", ""},
		"dpkg removes":  {"remove", "disable --now proofstream.service\n"},
		"rpm upgrades":  {"1", ""},
		"rpm removes":   {"0", "disable --now proofstream.service\n"},
	}
	for name, tt := range tests {
		cmd := exec.Command("sh", "-c", script, "removing", tt.argument)
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != tt.want {
			t.Errorf("%s: systemctl got %q (%v), want %q", name, out, err, tt.want)
		}
	}
}

// Workflows run actions at a fixed commit, and each job has its own permissions and a time limit.
func TestWorkflowsTrustNoMovingTag(t *testing.T) {
	pinned := regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	job := regexp.MustCompile(`(?m)^  \w+:\n(?:    .*\n|\n)+`)
	files, _ := filepath.Glob(filepath.Join(e2e.Root, ".github/workflows/*.yml"))
	if len(files) < 3 {
		t.Fatalf("found only %q", files)
	}
	for _, file := range files {
		name, err := filepath.Rel(e2e.Root, file)
		if err != nil {
			t.Fatal(err)
		}
		text := e2e.TextOf(t, name)
		for _, m := range regexp.MustCompile(`uses: (.*)`).FindAllStringSubmatch(text, -1) {
			if !pinned.MatchString(m[1]) {
				t.Errorf("%s uses %s, which is not a commit with its version", name, m[1])
			}
		}
		if !strings.Contains(text, "\npermissions: {}\n") {
			t.Errorf("%s gives permissions to all of its jobs", name)
		}
		_, jobs, _ := strings.Cut(text, "\njobs:\n")
		for _, text := range job.FindAllString(jobs, -1) {
			if !strings.Contains(text, "\n    permissions: {") || !strings.Contains(text, "\n    timeout-minutes: ") {
				t.Errorf("%s: this job lacks permissions or a time limit:\n%s", name, text)
			}
		}
	}
}
