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

// On a full disk posts get 503, no post that is not stored is acknowledged, and streams stay open. When the disk has space again,
// posts succeed without a restart.
func TestFullDisk(t *testing.T) {
	e2e.Slow(t)
	dir := smallDisk(t, "48m")
	d := startFaultyDisk(t, "PROOF_DATA_DIR="+filepath.Join(dir, "data"))
	ballast := fill(t, dir)
	d.checkPostsRefused(2000)
	d.checkStreamsStayOpen()
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	d.checkRecovery()
}

// The same holds when the kernel returns an error for a write or an fsync of the log. strace injects the error.
func TestFailingDisk(t *testing.T) {
	e2e.Slow(t)
	e2e.Need(t, "strace")
	for name, fault := range map[string]struct{ calls, errno string }{
		"fsync fails":           {"fsync,fdatasync", "EIO"},
		"writes fail":           {"write,pwrite64", "EIO"},
		"the disk is read-only": {"write,pwrite64,ftruncate", "EROFS"},
	} {
		t.Run(name, func(t *testing.T) {
			d := startFaultyDisk(t)
			db := filepath.Join(d.p.Dir, "proofstream.db") // only the log: the same calls write to sockets
			detach := attach(t, d.p, "-o", "/dev/null", "-P", db, "-P", db+"-wal",
				"-e", "trace="+fault.calls, "-e", "inject="+fault.calls+":error="+fault.errno)
			d.checkPostsRefused(0)
			d.checkStreamsStayOpen()
			detach()
			d.checkRecovery()
		})
	}
}

// faultyDisk is a program whose disk fails, and the results of its posts.
type faultyDisk struct {
	t       *testing.T
	p       *e2e.Program
	s       *e2e.Source
	first   string            // cursor before all signups
	stored  map[string]string // ids of the acknowledged signups, by name
	refused []string          // names of the signups that got 503
}

// startFaultyDisk starts a program and stores a signup before the disk fails.
func startFaultyDisk(t *testing.T, env ...string) *faultyDisk {
	t.Helper()
	d := &faultyDisk{t: t, p: e2e.Start(t, append(env, "PROOF_HEARTBEAT=50ms")...), stored: map[string]string{}}
	d.s = d.p.Follow(t, "")
	d.first = d.s.Ready(t).ID
	d.stored["before"] = d.p.Post(t, "user_name=before")
	return d
}

// post posts a signup with its name as the idempotency key.
func (d *faultyDisk) post(name string) e2e.Response {
	d.t.Helper()
	a := d.p.Request(d.t, "POST", "/signup", `{"user_name":"`+name+`"}`,
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

// checkPostsRefused posts until five posts got 503. At most most posts may be acknowledged before the first of these, and none after.
func (d *faultyDisk) checkPostsRefused(most int) {
	d.t.Helper()
	before := len(d.stored)
	for i := 0; len(d.refused) < 5; i++ {
		a := d.post(fmt.Sprintf("during the fault %d", i))
		if a.Status == 200 && len(d.refused) > 0 || len(d.stored) > before+most {
			d.t.Fatalf("post %d was acknowledged after %d, and after %d were refused", i, len(d.stored), len(d.refused))
		}
		if a.Status == 503 && (a.Header.Get("Retry-After") == "" || strings.Contains(a.Body, "error:") || strings.Contains(a.Body, d.p.Dir)) {
			d.t.Errorf("got %v %s", a.Header, a.Body)
		}
	}
}

// checkStreamsStayOpen checks during a fault that the service is live and not ready, and that the open stream gets heartbeats.
func (d *faultyDisk) checkStreamsStayOpen() {
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
	d.checkNoStreamEnded()
}

// checkNoStreamEnded checks that the stream has not ended.
func (d *faultyDisk) checkNoStreamEnded() {
	d.t.Helper()
	d.s.Mu.Lock()
	defer d.s.Mu.Unlock()
	if len(d.s.Ends) > 0 {
		d.t.Errorf("the stream ended: %v", d.s.Ends)
	}
}

// checkRecovery waits until the program stores again without a restart, and checks what the log has, then and after a crash.
func (d *faultyDisk) checkRecovery() {
	t, p := d.t, d.p
	t.Helper()
	waitfor.Until(t, 2*waitfor.Patience, func() bool { return p.Get(t, "/ready").Status == 200 }, func() string { return p.Stderr.String() })
	again := d.refused[0]
	for tries := 0; d.stored[again] == "" || d.stored["after"] == ""; tries++ {
		d.post(again) // the retry resolves the unknown outcome
		if d.post("after"); tries == 50 {
			t.Fatal("posts still get 503")
		}
	}
	d.checkStored("after the fault")
	d.checkNoStreamEnded()
	p.Kill()
	d.p = p.Restart()
	d.checkStored("after a crash")
	t.Logf("%d stored, %d refused", len(d.stored), len(d.refused))
}

// checkStored checks that each acknowledged signup is in the log under its id, and that no signup is there twice.
func (d *faultyDisk) checkStored(when string) {
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
			d.t.Errorf("%s: %s was acknowledged as %s, its id in the log is %q", when, name, id, got[name])
		}
	}
}

// smallDisk mounts a file system of a size, such as 48m, and returns its directory.
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

// fill writes a file that takes all free space of a file system, and returns its path.
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
