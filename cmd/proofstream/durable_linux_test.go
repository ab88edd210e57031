package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
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
	tracer := exec.Command("strace", "-f", "-yy", "-s", "1000", "-o", trace,
		"-e", "trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,sync_file_range,openat", "-p", fmt.Sprint(p.cmd.Process.Pid))
	said := newJournal()
	tracer.Stderr = said
	dieWithUs(tracer)
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	if _, ok := said.await("attached", patience); !ok {
		tracer.Process.Kill()
		tracer.Wait()
		t.Skipf("strace may not attach here: %s", said)
	}
	for _, name := range names {
		p.post(t, "user_name="+name)
	}
	tracer.Process.Signal(syscall.SIGINT)
	tracer.Wait()
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
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

// smallDisk mounts a file system of its own for a data directory.
func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("proofstream-test", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("no file system may be mounted here, run as root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all space that is left. Removing the returned file gives it back.
func fill(t *testing.T, dir string) (ballast string) {
	t.Helper()
	ballast = filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for block := bytes.Repeat([]byte{1}, size); err == nil; {
			_, err = f.Write(block)
		}
		err = nil
	}
	return ballast
}

// On a full disk posts are refused with 503, nothing false is acknowledged, and streams stay up. When there is room
// again, posts go on without a restart.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, "48m")
	p := start(t, "PROOF_DATA_DIR="+filepath.Join(dir, "data"), "PROOF_HEARTBEAT=50ms")
	s := p.follow(t, "")
	first := s.ready(t).id
	stored := map[string]string{}
	stored["before"] = p.post(t, "user_name=before")
	ballast := fill(t, dir)

	var refused answer
	for i := 0; refused.status != 503; i++ {
		name := fmt.Sprintf("full %d", i)
		a := p.ask(t, "POST", "/signup", `{"user_name":"`+name+`"}`, "Content-Type: application/json", "X-API-Key: "+p.key)
		switch {
		case a.status == 200:
			stored[name] = strings.Split(a.body, `"`)[3]
		case a.status != 503:
			t.Fatalf("got %d %s", a.status, a.body)
		case i > 2000:
			t.Fatal("the disk is not full")
		}
		refused = a
	}
	if refused.header.Get("Retry-After") == "" || strings.Contains(refused.body, "space") || strings.Contains(refused.body, dir) {
		t.Errorf("got %v %s", refused.header, refused.body)
	}
	until(t, patience, func() bool { return p.get(t, "/ready").status == 503 }, func() string { return p.get(t, "/ready").body })
	if a := p.get(t, "/live"); a.status != 200 {
		t.Errorf("/live: got %d", a.status)
	}
	beats := 0
	s.await(t, "heartbeats while the disk is full", func() bool {
		if beats == 0 {
			beats = s.beats
		}
		return s.beats > beats+3
	})
	if len(s.ends) > 0 {
		t.Errorf("the stream ended: %v", s.ends)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	until(t, 2*patience, func() bool { return p.get(t, "/ready").status == 200 }, func() string { return tail(p.stderr.String(), 2000) })
	id, _, err := postTo(p.url, p.key, "after", "user_name=after")
	for deadline := 50; err != nil && deadline > 0; deadline-- {
		id, _, err = postTo(p.url, p.key, "after", "user_name=after")
	}
	if err != nil {
		t.Fatalf("there is room again, and: %v", err)
	}
	stored["after"] = id
	check := func(when string) {
		t.Helper()
		got := map[string]string{}
		for _, e := range p.awaitSignup(t, first, id) {
			if name := e.field("user_name"); got[name] != "" {
				t.Errorf("%s: %s is in the log twice", when, name)
			} else {
				got[name] = e.id
			}
		}
		for name, id := range stored {
			if got[name] != id {
				t.Errorf("%s: %s was acknowledged as %s, the log has it as %q", when, name, id, got[name])
			}
		}
	}
	check("with room again")
	p.kill()
	p = p.restart()
	check("after a crash")
}
