package durability

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// On a full disk posts are refused with 503, nothing false is acknowledged, and streams stay up. When there is room
// again, posts go on without a restart.
func TestFullDisk(t *testing.T) {
	e2e.Slow(t)
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
	e2e.Slow(t)
	e2e.Need(t, "strace")
	for name, fault := range map[string]struct{ calls, error string }{
		"fsync fails":           {"fsync,fdatasync", "EIO"},
		"writes fail":           {"write,pwrite64", "EIO"},
		"the disk is read-only": {"write,pwrite64,ftruncate", "EROFS"},
	} {
		t.Run(name, func(t *testing.T) {
			d := withTrouble(t)
			db := filepath.Join(d.p.Dir, "proofstream.db") // and nothing else: sockets are written to in the same way
			detach := attach(t, d.p, "-o", "/dev/null", "-P", db, "-P", db+"-wal",
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
	p       *e2e.Program
	s       *e2e.Source
	first   string            // cursor before all signups
	stored  map[string]string // ids of what was acknowledged, by name
	refused []string          // names
}

// withTrouble starts a program that stores as it should so far.
func withTrouble(t *testing.T, env ...string) *troubled {
	t.Helper()
	d := &troubled{t: t, p: e2e.Start(t, append(env, "PROOF_HEARTBEAT=50ms")...), stored: map[string]string{}}
	d.s = d.p.Follow(t, "")
	d.first = d.s.Ready(t).ID
	d.stored["before"] = d.p.Post(t, "user_name=before")
	return d
}

// post posts a signup under its name as the key.
func (d *troubled) post(name string) e2e.Answer {
	d.t.Helper()
	a := d.p.Ask(d.t, "POST", "/signup", `{"user_name":"`+name+`"}`,
		"Content-Type: application/json", "X-API-Key: "+d.p.Key, "Idempotency-Key: "+name)
	switch a.Status {
	case 200:
		d.stored[name] = strings.Split(a.Body, `"`)[3]
	case 503:
		d.refused = append(d.refused, name)
	default:
		d.t.Fatalf("got %d %s", a.Status, a.Body)
	}
	return a
}

// refuses posts until five were refused; at most a number may be acknowledged before.
func (d *troubled) refuses(most int) {
	d.t.Helper()
	before := len(d.stored)
	for i := 0; len(d.refused) < 5; i++ {
		a := d.post(fmt.Sprintf("in trouble %d", i))
		if a.Status == 200 && len(d.refused) > 0 || len(d.stored) > before+most {
			d.t.Fatalf("post %d was acknowledged after %d, and after %d were refused", i, len(d.stored), len(d.refused))
		}
		if a.Status == 503 && (a.Header.Get("Retry-After") == "" || strings.Contains(a.Body, "error:") || strings.Contains(a.Body, d.p.Dir)) {
			d.t.Errorf("got %v %s", a.Header, a.Body)
		}
	}
}

// stands checks what goes on during trouble.
func (d *troubled) stands() {
	t, p := d.t, d.p
	t.Helper()
	waitfor.Until(t, waitfor.Patience, func() bool { return p.Get(t, "/ready").Status == 503 }, func() string { return p.Get(t, "/ready").Body })
	if a := p.Get(t, "/live"); a.Status != 200 {
		t.Errorf("/live: got %d", a.Status)
	}
	d.s.Mu.Lock()
	before := len(d.s.Heartbeats)
	d.s.Mu.Unlock()
	d.s.Await(t, "heartbeats", func() bool { return len(d.s.Heartbeats) > before+3 })
	d.streams()
}

// streams checks that the stream has never ended.
func (d *troubled) streams() {
	d.t.Helper()
	d.s.Mu.Lock()
	defer d.s.Mu.Unlock()
	if len(d.s.Ends) > 0 {
		d.t.Errorf("the stream ended: %v", d.s.Ends)
	}
}

// recovers waits until the program stores again by itself, and looks for what it acknowledged, also after a crash.
func (d *troubled) recovers() {
	t, p := d.t, d.p
	t.Helper()
	waitfor.Until(t, 2*waitfor.Patience, func() bool { return p.Get(t, "/ready").Status == 200 }, func() string { return p.Stderr.String() })
	again := d.refused[0]
	for tries := 0; d.stored[again] == "" || d.stored["after"] == ""; tries++ {
		d.post(again) // its key settles the outcome
		if d.post("after"); tries == 50 {
			t.Fatal("it does not store again")
		}
	}
	d.check("after the trouble")
	d.streams()
	p.Kill()
	d.p = p.Restart()
	d.check("after a crash")
	t.Logf("%d stored, %d refused", len(d.stored), len(d.refused))
}

// check compares what was answered with what is stored.
func (d *troubled) check(when string) {
	d.t.Helper()
	got := map[string]string{}
	for _, e := range d.p.SignupsUpTo(d.t, d.first, d.stored["after"]) {
		name := e.Field("user_name")
		if got[name] != "" {
			d.t.Errorf("%s: %s is in the log twice", when, name)
		}
		got[name] = e.ID
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
