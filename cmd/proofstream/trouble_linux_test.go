package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// On a full disk posts are refused with 503, nothing false is acknowledged, and streams stay up. When there is room
// again, posts go on without a restart.
func TestFullDisk(t *testing.T) {
	slow(t)
	dir := smallDisk(t, "48m")
	d := withTrouble(t, "PROOF_DATA_DIR="+filepath.Join(dir, "data"))
	ballast := fill(t, dir)
	d.refuses(2000)
	d.stands()
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	d.recovers()
}

// Whatever the kernel answers when the log is written or synced, it is the same: strace answers in its place.
func TestFailingDisk(t *testing.T) {
	slow(t)
	need(t, "strace")
	for name, fault := range map[string]struct{ calls, error string }{
		"fsync fails":           {"fsync,fdatasync", "EIO"},
		"writes fail":           {"write,pwrite64", "EIO"},
		"the disk is read-only": {"write,pwrite64,ftruncate", "EROFS"},
	} {
		t.Run(name, func(t *testing.T) {
			d := withTrouble(t)
			db := filepath.Join(d.p.dir, "proofstream.db") // and nothing else: sockets are written to in the same way
			detach := d.p.attach(t, "-o", "/dev/null", "-P", db, "-P", db+"-wal",
				"-e", "trace="+fault.calls, "-e", "inject="+fault.calls+":error="+fault.error)
			d.refuses(0)
			d.stands()
			detach()
			d.recovers()
		})
	}
}

// troubled is a program whose disk is in trouble, and what it answered.
type troubled struct {
	t       *testing.T
	p       *program
	s       *source
	first   string            // cursor before all signups
	stored  map[string]string // ids of what was acknowledged, by name
	refused []string          // names
}

// withTrouble starts a program that stores as it should so far.
func withTrouble(t *testing.T, env ...string) *troubled {
	t.Helper()
	d := &troubled{t: t, p: start(t, append(env, "PROOF_HEARTBEAT=50ms")...), stored: map[string]string{}}
	d.s = d.p.follow(t, "")
	d.first = d.s.ready(t).id
	d.stored["before"] = d.p.post(t, "user_name=before")
	return d
}

// post posts a signup under its name as the key.
func (d *troubled) post(name string) answer {
	d.t.Helper()
	a := d.p.ask(d.t, "POST", "/signup", `{"user_name":"`+name+`"}`,
		"Content-Type: application/json", "X-API-Key: "+d.p.key, "Idempotency-Key: "+name)
	switch a.status {
	case 200:
		d.stored[name] = strings.Split(a.body, `"`)[3]
	case 503:
		d.refused = append(d.refused, name)
	default:
		d.t.Fatalf("got %d %s", a.status, a.body)
	}
	return a
}

// refuses posts until five were refused; at most a number may be acknowledged before.
func (d *troubled) refuses(most int) {
	d.t.Helper()
	before := len(d.stored)
	for i := 0; len(d.refused) < 5; i++ {
		a := d.post(fmt.Sprintf("in trouble %d", i))
		if a.status == 200 && len(d.refused) > 0 || len(d.stored) > before+most {
			d.t.Fatalf("post %d was acknowledged after %d, and after %d were refused", i, len(d.stored), len(d.refused))
		}
		if a.status == 503 && (a.header.Get("Retry-After") == "" || strings.Contains(a.body, "error:") || strings.Contains(a.body, d.p.dir)) {
			d.t.Errorf("got %v %s", a.header, a.body)
		}
	}
}

// stands checks what goes on during trouble.
func (d *troubled) stands() {
	t, p := d.t, d.p
	t.Helper()
	until(t, patience, func() bool { return p.get(t, "/ready").status == 503 }, func() string { return p.get(t, "/ready").body })
	if a := p.get(t, "/live"); a.status != 200 {
		t.Errorf("/live: got %d", a.status)
	}
	d.s.mu.Lock()
	before := len(d.s.heartbeats)
	d.s.mu.Unlock()
	d.s.await(t, "heartbeats", func() bool { return len(d.s.heartbeats) > before+3 })
	d.streams()
}

// streams checks that the stream has never ended.
func (d *troubled) streams() {
	d.t.Helper()
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	if len(d.s.ends) > 0 {
		d.t.Errorf("the stream ended: %v", d.s.ends)
	}
}

// recovers waits until the program stores again by itself, and looks for what it acknowledged, also after a crash.
func (d *troubled) recovers() {
	t, p := d.t, d.p
	t.Helper()
	until(t, 2*patience, func() bool { return p.get(t, "/ready").status == 200 }, func() string { return p.stderr.String() })
	again := d.refused[0]
	for tries := 0; d.stored[again] == "" || d.stored["after"] == ""; tries++ {
		d.post(again) // its key settles the outcome
		if d.post("after"); tries == 50 {
			t.Fatal("it does not store again")
		}
	}
	d.check("after the trouble")
	d.streams()
	p.kill()
	d.p = p.restart()
	d.check("after a crash")
	t.Logf("%d stored, %d refused", len(d.stored), len(d.refused))
}

// check compares what was answered with what is stored.
func (d *troubled) check(when string) {
	d.t.Helper()
	got := map[string]string{}
	for _, e := range d.p.signupsUpTo(d.t, d.first, d.stored["after"]) {
		name := e.field("user_name")
		if got[name] != "" {
			d.t.Errorf("%s: %s is in the log twice", when, name)
		}
		got[name] = e.id
	}
	for name, id := range d.stored {
		if got[name] != id {
			d.t.Errorf("%s: %s was acknowledged as %s, the log has it as %q", when, name, id, got[name])
		}
	}
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
