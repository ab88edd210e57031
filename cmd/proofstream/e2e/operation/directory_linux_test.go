package operation

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// asUser returns the command line that runs another as a user id and group id. It skips the test without root.
func asUser(t *testing.T, uid, gid string) []string {
	t.Helper()
	e2e.Need(t, "setpriv")
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	return []string{"setpriv", "--reuid", uid, "--regid", gid, "--clear-groups"}
}

// dataDir makes a data directory that every user can reach, with a mode whatever the umask is.
func dataDir(t *testing.T, mode os.FileMode) string {
	t.Helper()
	base := t.TempDir()
	dir := filepath.Join(base, "data")
	if err := os.Mkdir(dir, mode); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{filepath.Dir(base): 0o755, base: 0o755, dir: mode} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Random users of group 0, another one at each start, run the service on a directory like that of the image.
func TestRandomUserOfGroupZeroRunsTheService(t *testing.T) {
	dir := dataDir(t, 0o770) // root:root
	var want []string
	for _, uid := range []string{"12345", "23456", "34567"} {
		p := e2e.StartVia(t, asUser(t, uid, "0"), "PROOF_DATA_DIR="+dir, "PROOF_SHUTDOWN_GRACE=1s")
		want = append(want, p.Post(t, "user_name=Ada"))
		stdout, stderr, _ := p.Command(t, "export")
		for _, id := range want {
			if !strings.Contains(stdout, id) {
				t.Errorf("user %s: got %s%s, want %s in it", uid, stdout, stderr, id)
			}
		}
		p.Stop()
	}
}

// The service runs where directories cannot be synced, and logs one warning that says so.
func TestDirectoryThatCannotBeSyncedIsNamed(t *testing.T) {
	e2e.Need(t, "strace")
	dir := dataDir(t, 0o700)
	p := e2e.StartVia(t, []string{"strace", "-D", "-f", "-o", "/dev/null", "-P", dir, // -D: the service is the child, and gets the signals
		"-e", "trace=fsync", "-e", "inject=fsync:error=EINVAL"}, "PROOF_DATA_DIR="+dir)
	p.Post(t)
	if line := p.AwaitLog("cannot sync directories"); !strings.Contains(line, "level=WARN") || !strings.Contains(line, dir) {
		t.Errorf("got %s, want a warning with %s in it", line, dir)
	}
	if n := strings.Count(p.Stderr.String(), "cannot sync directories"); n != 1 || !p.Ready() {
		t.Errorf("got %d lines and ready %v, want 1 and true", n, p.Ready())
	}
	p.Stop()
}

// When the data directory or a file in it belongs to another user, the error has both names and the command that mends it.
func TestFilesOfAnotherUserAreNamed(t *testing.T) {
	via := asUser(t, "nobody", "65534")
	for name, ours := range map[string][]string{
		"the directory":            nil,
		"the files in ours":        {""},
		"the database beside ours": {"", "proofstream.lock"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := dataDir(t, 0o700)
			e2e.Start(t, "PROOF_DATA_DIR="+dir, "PROOF_SHUTDOWN_GRACE=1s").Stop() // as root
			for _, file := range ours {
				if err := os.Chown(filepath.Join(dir, file), 65534, 65534); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(via[0], append(via[1:], e2e.Binary(t))...)
			cmd.Env = []string{"PROOF_DATA_DIR=" + dir, "PROOF_ADDR=127.0.0.1:0", "PROOF_METRICS_ADDR=off"}
			e2e.DieWithUs(cmd)
			out, _ := cmd.CombinedOutput() // the status is checked below
			if got := cmd.ProcessState.ExitCode(); got != 1 {
				t.Errorf("got status %d, want 1", got)
			}
			for _, want := range []string{"belongs to user root", "runs as user nobody", "chown -R nobody " + dir + " ", "PROOF_DATA_DIR"} {
				if !strings.Contains(string(out), want) {
					t.Errorf("got %s, want %q in it", out, want)
				}
			}
		})
	}
}
