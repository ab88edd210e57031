package durability

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

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// Before the first byte of a 200 is sent, the event is written to a file of the data directory and that file is synced. strace shows
// the system calls. The same check must fail for the same trace without its syncs.
func TestSyncedBeforeAcknowledged(t *testing.T) {
	e2e.Slow(t)
	e2e.Need(t, "strace")
	p := e2e.Start(t)
	names := []string{"first-of-trace", "second-of-trace", "third-of-trace"}
	trace := traceOf(t, p, func() {
		for _, name := range names {
			p.Post(t, "user_name="+name)
		}
	})
	without := regexp.MustCompile(`(?m)^.*(fsync|fdatasync).*\n`).ReplaceAllString(trace, "")
	for _, name := range names {
		if problem := syncedBeforeResponse(trace, p.Dir, name); problem != "" {
			t.Errorf("%s: %s in\n%s", name, problem, trace[max(0, len(trace)-6000):])
		}
		if problem := syncedBeforeResponse(without, p.Dir, name); !strings.HasPrefix(problem, "the response was sent before") {
			t.Errorf("%s: got %q from a trace without syncs: the check cannot fail", name, problem)
		}
	}
}

// Concurrent posts share syncs: 400 posts from 8 goroutines make fewer than 400 syncs.
func TestConcurrentPostsShareSyncs(t *testing.T) {
	e2e.Slow(t)
	e2e.Need(t, "strace")
	p := e2e.Start(t)
	const posts = 400
	trace := traceOf(t, p, func() { p.Burst(t, posts) })
	syncs := len(regexp.MustCompile(`(?m)(fsync|fdatasync)\(`).FindAllString(trace, -1))
	if t.Logf("%d syncs for %d posts", syncs, posts); syncs == 0 || syncs >= posts {
		t.Errorf("%d syncs for %d posts, want fewer", syncs, posts)
	}
}

// traceOf returns strace's lines about the writes and syncs of the process while do runs.
func traceOf(t *testing.T, p *e2e.Program, do func()) string {
	t.Helper()
	p.Post(t, "user_name=warm-up")
	trace := filepath.Join(t.TempDir(), "trace")
	detach := attach(t, p, "-yy", "-s", "4200", "-o", trace,
		"-e", "trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,sync_file_range,openat")
	do()
	detach()
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// attach makes strace trace all threads of the process until detach is called. It skips the test where strace may not attach.
func attach(t *testing.T, p *e2e.Program, args ...string) (detach func()) {
	t.Helper()
	tracer := exec.Command("strace", append([]string{"-f", "-p", fmt.Sprint(p.Cmd.Process.Pid)}, args...)...)
	out := &waitfor.Output{}
	tracer.Stderr = out
	e2e.DieWithUs(tracer)
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	detach = sync.OnceFunc(func() {
		tracer.Process.Signal(syscall.SIGINT)
		tracer.Wait()
	})
	t.Cleanup(detach)
	if _, ok := out.Line("attached", waitfor.Patience); !ok {
		tracer.Process.Kill()
		t.Skipf("strace may not attach here: %s", out)
	}
	return detach
}

// traced matches a line of strace: the system call and the file or socket of its first argument.
var traced = regexp.MustCompile(`^\d+ +(?:<\.\.\. )?(\w+)(?:\(\d+<([^>]*)>)?`)

// syncedBeforeResponse finds the write of a signup in a trace, then the sync of that file, then the response. It describes what is
// wrong, "" if nothing.
func syncedBeforeResponse(trace, dir, name string) string {
	var file string
	synced := false
	pending := map[string]string{} // by thread: the file of a sync that has not returned
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
				return "the response was sent before " + file + " was synced"
			}
			return ""
		}
	}
	if file == "" {
		return "the signup was not written"
	}
	return "there is no response"
}
