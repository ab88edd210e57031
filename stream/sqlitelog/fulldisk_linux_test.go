package sqlitelog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/waitfor"
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

// TestFullDisk would catch an event acknowledged but not stored, an append that hangs while the disk is full, a log that stays unhealthy when
// there is space again, and damage where there is none.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, 16<<20)
	o := Options{Dir: filepath.Join(dir, "data"), Limits: killLimits}
	l := run(t, o)
	all := map[acknowledged]stream.ID{}
	hog := filepath.Join(dir, "hog")
	for round := range 3 {
		fillDisk(t, hog, 300<<10)
		appendUntilRefused(t, l, all, round)
		fillDisk(t, hog+"2", 0) // a smaller transaction might still fit
		checkRefused(t, l)
		if round == 0 {
			checkStaysUnhealthy(t, l)
		}
		if err := errors.Join(os.Remove(hog), os.Remove(hog+"2")); err != nil {
			t.Fatal(err)
		}
		waitfor.Fact(t, "the log is healthy again by itself", func() bool { return l.Healthy() == nil })
		text := fmt.Sprint("after ", round)
		all[acknowledged{"s1", text}] = mustAppend(t, l, "s1", text, text)
	}
	for range 2 { // as it runs, and after a restart
		checkKept(t, l, all)
		if l.Damage() > 0 {
			t.Errorf("a full disk counts as damage")
		}
		l.stop()
		l = run(t, o)
	}
}

// checkRefused checks that a log on a full disk refuses appends at once, says why and can be read.
func checkRefused(t *testing.T, l *running) {
	t.Helper()
	started, refused := time.Now(), 0
	for range 40 { // some may find room in the write-ahead log
		switch _, _, err := l.Append(t.Context(), "s0", stream.Entry{Data: make([]byte, stream.MaxData)}); {
		case errors.Is(err, stream.ErrUnavailable):
			refused++
		case err != nil:
			t.Errorf("append to a full disk: %v, want ErrUnavailable", err)
		}
	}
	if d := time.Since(started); d > 4*time.Second || refused < 20 {
		t.Errorf("%d of 40 appends to a full disk were refused, in %v; want most, at once", refused, d)
	}
	if err := l.Healthy(); err == nil || !strings.Contains(err.Error(), "space") {
		t.Errorf("log on a full disk: Healthy() is %v, want the reason", err)
	}
	if _, _, err := l.Read(t.Context(), "s0", 0, 10); err != nil {
		t.Errorf("read while the disk is full: %v", err)
	}
}

// checkStaysUnhealthy checks for two probes, which are a second apart, that they find no room where no signup does.
func checkStaysUnhealthy(t *testing.T, l *running) {
	t.Helper()
	if waitfor.Within(2*probeInterval+probeInterval/2, func() bool { return l.Healthy() == nil }) {
		t.Fatal("the log is healthy again on a disk that is still full")
	}
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
