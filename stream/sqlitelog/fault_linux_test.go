package sqlitelog

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"proofstream/stream"
)

// smallDisk mounts a file system of some bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size))
	if err != nil {
		if os.Getenv("CI") == "true" && os.Getuid() == 0 {
			t.Fatal(err)
		}
		t.Skipf("a full disk needs a mount of its own, which needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestFullDisk would catch an event acknowledged but not stored, an append that hangs while the disk is full, a log that
// stays dead when there is space again, and a follower that misses what came after.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, 16<<20)
	data := filepath.Join(dir, "data")
	l := run(t, Options{Dir: data, Limits: killLimits})
	all := map[acknowledged]stream.ID{}
	for round := range 3 {
		hog := filepath.Join(dir, "hog")
		fillDisk(t, hog, 300<<10)
		appendUntilRefused(t, l, all, round)
		fillDisk(t, hog+"2", 0) // a smaller transaction might fit yet
		begin, refused := time.Now(), 0
		for range 40 { // some may find room in the write-ahead log
			switch _, _, err := l.Append(t.Context(), "s0", stream.Entry{Data: make([]byte, stream.MaxData)}); {
			case errors.Is(err, stream.ErrUnavailable):
				refused++
			case err != nil:
				t.Errorf("append to a full disk: %v, want ErrUnavailable", err)
			}
		}
		if d := time.Since(begin); d > 4*time.Second || refused < 20 {
			t.Errorf("%d of 40 appends to a full disk were refused, in %v; want most, at once", refused, d)
		}
		if err := l.Healthy(); err == nil || !strings.Contains(err.Error(), "space") {
			t.Errorf("log on a full disk: Healthy() is %v", err)
		}
		if round == 0 { // two probes, which are a second apart, may not find room where no signup does
			for watched := time.Now(); time.Since(watched) < 2500*time.Millisecond; time.Sleep(20 * time.Millisecond) {
				if l.Healthy() == nil {
					t.Fatal("the log is healthy again on a disk that is still full")
				}
			}
		}
		if _, _, err := l.Read(t.Context(), "s0", 0, 10); err != nil {
			t.Errorf("read while the disk is full: %v", err)
		}
		if err := errors.Join(os.Remove(hog), os.Remove(hog+"2")); err != nil {
			t.Fatal(err)
		}
		until(t, "the log heals by itself", func() bool { return l.Healthy() == nil })
		text := fmt.Sprint("after ", round)
		all[acknowledged{"s1", text}] = mustAppend(t, l, "s1", text, text)
	}
	checkFullDisk := func(l *running) {
		t.Helper()
		checkKept(t, l, all)
		if n := l.Damage(); n > 0 {
			t.Errorf("a full disk was taken for damage")
		}
	}
	checkFullDisk(l)
	l.stop()
	l = run(t, Options{Dir: data, Limits: killLimits})
	checkFullDisk(l)
}

// checkKept checks that what was acknowledged is there as it was.
func checkKept(t *testing.T, l stream.Log, all map[acknowledged]stream.ID) {
	t.Helper()
	for a, id := range all {
		events, _, err := l.Read(t.Context(), a.site, id.Seq-1, 1)
		if err != nil || len(events) != 1 || events[0].ID != id || string(events[0].Data) != a.text {
			t.Fatalf("%v was acknowledged as %.20s, is %v, %v", id, a.text, events, err)
		}
	}
}

// fillDisk writes a file that leaves some bytes.
func fillDisk(t *testing.T, path string, leave int64) {
	t.Helper()
	var s syscall.Statfs_t
	err := syscall.Statfs(filepath.Dir(path), &s)
	if err == nil {
		err = os.WriteFile(path, make([]byte, max(0, int64(s.Bavail)*s.Bsize-leave)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func appendUntilRefused(t *testing.T, l stream.Log, all map[acknowledged]stream.ID, round int) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				a := acknowledged{killSites[w%3], fmt.Sprintf("%d/%d/%d %0500d", round, w, i, 0)}
				begin := time.Now()
				id, _, err := l.Append(t.Context(), a.site, stream.Entry{Data: []byte(a.text)})
				if err != nil {
					if d := time.Since(begin); !errors.Is(err, stream.ErrUnavailable) || d > 5*time.Second {
						t.Errorf("refused after %v with %v", d, err)
					}
					return
				}
				mu.Lock()
				all[a] = id
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestNoPermission runs as a user to whom the directory does not belong.
func TestNoPermission(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	dir := t.TempDir()
	run(t, Options{Dir: dir}).stop()
	var err error
	asNobody(t, dir, func() { err = New(Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)}).Open(t.Context()) })
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "chown -R nobody") || !strings.Contains(err.Error(), "user root") {
		t.Errorf("open as another user: %v; want an error that names both users", err)
	}
}

// asNobody runs do with the user id of nobody in this thread.
func asNobody(t *testing.T, dir string, do func()) {
	t.Helper()
	for p := dir; p != "/" && p != os.TempDir(); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Seteuid(65534); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Seteuid(0); err != nil {
			t.Fatal(err)
		}
	}()
	do()
}

// tracedWriter starts a writer under strace.
func tracedWriter(t *testing.T, dir string, options ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is not installed; install it")
		}
		t.Skip("strace is not installed")
	}
	cmd := exec.Command("strace", append(append([]string{"-D", "-f", "-y"}, options...), os.Args[0])...)
	cmd.Env = append(os.Environ(), writerDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	stop := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	t.Cleanup(func() { stop.Stop() })
	return cmd, bufio.NewScanner(out)
}

// TestFailedSync has some syncs of a writing process fail. Nothing that was acknowledged may depend on them, and appends go on
// by themselves.
func TestFailedSync(t *testing.T) {
	dir := t.TempDir()
	cmd, out := tracedWriter(t, dir, "-o", os.DevNull, "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO:when=20+7")
	all := map[acknowledged]stream.ID{}
	refused := readWriter(t, out, all, 300)
	cmd.Process.Kill()
	refused = append(refused, readWriter(t, out, all, -1)...)
	cmd.Wait()
	if len(refused) == 0 {
		t.Skip("no append was refused; is tracing permitted here?")
	}
	if !strings.Contains(refused[0], "the disk reports an error") {
		t.Errorf("an append whose sync failed ended with %q", refused[0])
	}
	l := run(t, Options{Dir: dir, Limits: killLimits})
	checkAcknowledged(t, l, all)
	t.Logf("%d events acknowledged, %d refusals", len(all), len(refused))
}

// A traced system call: where it begins, where it ends when others ran meanwhile, and the events in it.
var (
	callBegins  = regexp.MustCompile(`^(\d+) +(pwrite64|fsync|fdatasync|write)\((\d+)<([^>]*)>(.*)$`)
	callResumes = regexp.MustCompile(`^(\d+) +<\.\.\. (fsync|fdatasync) resumed>.*= 0$`)
	textInTrace = regexp.MustCompile(`w\d+/\d+/\d+\.`)
)

// TestAcknowledgedAfterSync traces a writing process: an acknowledgement that is told before a sync of the file
// with its event has ended would be lost with the power. It also counts the syncs.
func TestAcknowledgedAfterSync(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace")
	cmd, out := tracedWriter(t, t.TempDir(), "-s", "5000", "-e", "trace=pwrite64,write,fsync,fdatasync", "-o", trace)
	readWriter(t, out, map[acknowledged]stream.ID{}, 200)
	cmd.Process.Kill()
	cmd.Wait()
	f, err := os.Open(trace)
	if err != nil {
		t.Skipf("no trace; is tracing permitted here? %v", err)
	}
	defer f.Close()
	written, synced := map[string]bool{}, map[string]bool{}
	syncing := map[string][]string{} // what each thread's sync will have put on disk
	var unsynced []string
	acknowledged, syncs := 0, 0
	ended := func(thread string) {
		for _, text := range syncing[thread] {
			synced[text] = true
		}
		delete(syncing, thread)
	}
	s := bufio.NewScanner(f)
	for s.Buffer(nil, 1<<20); s.Scan(); {
		if m := callResumes.FindStringSubmatch(s.Text()); m != nil {
			ended(m[1])
		}
		m := callBegins.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		switch thread, call, file, rest := m[1], m[2], m[4], m[5]; {
		case strings.HasSuffix(file, "-wal") && call == "pwrite64":
			for _, text := range textInTrace.FindAllString(rest, -1) {
				if !written[text] {
					written[text], unsynced = true, append(unsynced, text)
				}
			}
		case strings.HasSuffix(file, "-wal"):
			syncs++
			syncing[thread], unsynced = append(syncing[thread], unsynced...), nil
			if strings.HasSuffix(rest, "= 0") {
				ended(thread)
			}
		case m[3] == "1" && call == "write":
			if text := textInTrace.FindString(rest); text != "" {
				if acknowledged++; !synced[text] {
					t.Errorf("%s was acknowledged before a sync had put it on disk", text)
				}
			}
		}
	}
	if acknowledged < 100 || syncs >= acknowledged {
		t.Errorf("trace shows %d acknowledgements and %d syncs; want at least 100, and fewer syncs", acknowledged, syncs)
	}
}
