package natslog

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A traced system call: where it begins, where it ends when others ran meanwhile, and the events in it.
var (
	callBegins  = regexp.MustCompile(`^(\d+) +(pwrite64|fsync|write)\((\d+)<([^>]*)>(.*)$`)
	callResumes = regexp.MustCompile(`^(\d+) +<\.\.\. (pwrite64|fsync|write) resumed>.*= \d+$`)
	textInTrace = regexp.MustCompile(`[a-z0-9]{6}/\d+/\d+;`)
)

// TestAcknowledgedAfterFsync traces a writing process: an acknowledgement that is told before an
// fsync of the file with its event has ended would be lost with the power.
func TestAcknowledgedAfterFsync(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is not installed; install it")
		}
		t.Skip("strace is not installed")
	}
	dir, trace := t.TempDir(), filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command("strace", "-D", "-f", "-y", "-s", "5000", "-e", "trace=pwrite64,write,fsync", "-o", trace, os.Args[0])
	cmd.Env = append(os.Environ(), writerDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer stop.Stop()
	lines := bufio.NewScanner(out)
	for n := 0; n < 200 && lines.Scan(); n++ {
	}
	cmd.Process.Kill()
	cmd.Wait()
	checkTrace(t, trace)
}

func checkTrace(t *testing.T, path string) {
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("no trace; is tracing permitted here? %v", err)
	}
	defer f.Close()
	written := map[string]bool{}     // in the file, perhaps not on disk
	synced := map[string]bool{}      // on disk
	syncing := map[string][]string{} // what each thread's fsync will have put on disk
	unsynced, acknowledged := []string{}, 0
	ended := func(thread string) {
		for _, text := range syncing[thread] {
			synced[text] = true
		}
		delete(syncing, thread)
	}
	s := bufio.NewScanner(f)
	for s.Buffer(nil, 1<<20); s.Scan(); {
		if m := callResumes.FindStringSubmatch(s.Text()); m != nil && m[2] == "fsync" {
			ended(m[1])
		}
		m := callBegins.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		switch thread, call, file, rest := m[1], m[2], m[4], m[5]; {
		case strings.HasSuffix(file, ".blk") && call == "pwrite64":
			for _, text := range textInTrace.FindAllString(rest, -1) {
				if !written[text] {
					written[text], unsynced = true, append(unsynced, text)
				}
			}
		case strings.HasSuffix(file, ".blk") && call == "fsync":
			syncing[thread], unsynced = unsynced, nil
			if strings.HasSuffix(rest, "= 0") {
				ended(thread)
			}
		case m[3] == "1" && call == "write":
			if text := textInTrace.FindString(rest); text != "" {
				if acknowledged++; !synced[text] {
					t.Errorf("%s was acknowledged before an fsync had put it on disk", text)
				}
			}
		}
	}
	if acknowledged < 100 {
		t.Errorf("trace shows only %d acknowledgements: this proved little", acknowledged)
	}
}
