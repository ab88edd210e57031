package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The system calls of the whole process show it: before the first byte of a 200 leaves, the record is written to a
// file of the data directory and that file is synced. With PROOF_FSYNC=1h the same look finds that it is not.
func TestSyncedBeforeAcknowledged(t *testing.T) {
	need(t, "strace")
	names := []string{"first-of-trace", "second-of-trace", "third-of-trace"}
	for fsync, want := range map[string]bool{"always": true, "1h": false} {
		t.Run(fsync, func(t *testing.T) {
			p := start(t, "PROOF_FSYNC="+fsync)
			trace := p.tracePosts(t, names)
			for _, name := range names {
				problem := syncedBeforeAnswer(trace, p.dir, name)
				if synced := problem == ""; synced != want || !synced && !strings.HasPrefix(problem, "answered before") {
					t.Errorf("%s: got %q in\n%s", name, problem, tail(trace, 6000))
				}
			}
		})
	}
}

// tracePosts returns the system calls of the process while signups are posted.
func (p *program) tracePosts(t *testing.T, names []string) string {
	t.Helper()
	p.post(t, "user_name=warm-up")
	trace := filepath.Join(t.TempDir(), "trace")
	detach := p.attach(t, "-yy", "-s", "1000", "-o", trace,
		"-e", "trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,sync_file_range,openat")
	for _, name := range names {
		p.post(t, "user_name="+name)
	}
	detach()
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// attach has strace trace the process and its threads, until the function returned is called.
func (p *program) attach(t *testing.T, args ...string) (detach func()) {
	t.Helper()
	tracer := exec.Command("strace", append([]string{"-f", "-p", fmt.Sprint(p.cmd.Process.Pid)}, args...)...)
	said := newJournal()
	tracer.Stderr = said
	dieWithUs(tracer)
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	detach = sync.OnceFunc(func() {
		tracer.Process.Signal(syscall.SIGINT)
		tracer.Wait()
	})
	t.Cleanup(detach)
	if _, ok := said.await("attached", patience); !ok {
		tracer.Process.Kill()
		t.Skipf("strace may not attach here: %s", said)
	}
	return detach
}

var traced = regexp.MustCompile(`^\d+ +(?:<\.\.\. )?(\w+)(?:\(\d+<([^>]*)>)?`)

// syncedBeforeAnswer follows one record through a trace and says what is wrong, "" if nothing.
func syncedBeforeAnswer(trace, dir, name string) string {
	var file string
	synced := false
	pending := map[string]string{} // file whose sync is not finished, by thread
	for line := range strings.Lines(trace) {
		call := traced.FindStringSubmatch(line)
		if call == nil {
			continue
		}
		thread, _, _ := strings.Cut(line, " ")
		target := call[2]
		switch {
		case strings.HasPrefix(target, dir) && strings.Contains(line, name):
			file, synced = target, false
		case call[1] == "fsync" || call[1] == "fdatasync":
			if strings.Contains(line, "unfinished") {
				pending[thread] = target
				continue
			}
			if strings.Contains(line, "resumed") {
				target = pending[thread]
			}
			if file != "" && target == file && strings.Contains(line, "= 0") {
				synced = true
			}
		case file != "" && strings.Contains(target, "TCP") && strings.Contains(line, "HTTP/1.1 200"):
			if !synced {
				return "answered before " + file + " was synced"
			}
			return ""
		}
	}
	if file == "" {
		return "its record was never written"
	}
	return "no answer was seen"
}
