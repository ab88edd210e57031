package natslog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"proofstream/stream"
)

// smallDisk mounts a file system of so many bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size))
	if err != nil && (os.Getenv("CI") != "true" || os.Getuid() != 0) {
		t.Skipf("a full disk needs a mount of its own, which needs root: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// hog takes all free space of a file system but some bytes, until it is called.
func hog(t *testing.T, dir string, leave int64) (release func()) {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "hog")
	if err := os.WriteFile(path, make([]byte, int64(s.Bavail)*s.Bsize-leave), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// TestFullDisk would catch an event acknowledged but not stored, an append that hangs while the disk
// is full, a log that stays dead when there is space again, and a reader that misses what came after.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, 24<<20)
	l := opened(t, Options{Dir: filepath.Join(dir, "data"), Retain: 1e6})
	run(t, l)
	followed := following(t, l)
	acknowledged := map[uint64]string{}
	epoch := l.newest()
	for round := range 3 {
		release := hog(t, dir, 300<<10)
		appendUntilRefused(t, l, acknowledged, round)
		begin := time.Now()
		for range 20 {
			if _, _, err := l.Append(t.Context(), stream.Draft{Site: "a", Data: []byte("{}")}); !errors.Is(err, stream.ErrUnavailable) {
				t.Errorf("append to a full disk: %v, want ErrUnavailable", err)
			}
		}
		if d := time.Since(begin); d > time.Second {
			t.Errorf("20 refusals took %v", d)
		}
		if l.Healthy() == nil {
			t.Error("log on a full disk is called healthy")
		}
		t.Logf("while full: %v", l.Healthy())
		release()
		until(t, "the log is healthy again", func() bool { return l.Healthy() == nil })
		seq, _, err := l.Append(t.Context(), stream.Draft{Site: "a", Data: fmt.Append(nil, "after ", round)})
		if err != nil {
			t.Fatalf("append when there is space again: %v", err)
		}
		acknowledged[seq] = fmt.Sprint("after ", round)
		if l.newest() == epoch {
			t.Error("the epoch stayed the same over a restart of the server")
		}
		epoch = l.newest()
	}
	if d := l.Damage(); len(d) > 0 {
		t.Errorf("a full disk was taken for damage: %v", d)
	}
	until(t, "the follower has everything acknowledged", func() bool { return followed.has(acknowledged) })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = opened(t, Options{Dir: filepath.Join(dir, "data"), Retain: 1e6})
	if d := l.Damage(); len(d) > 0 {
		t.Errorf("damage after a full disk: %v", d)
	}
	for seq, text := range acknowledged {
		if e, err := l.Get(t.Context(), seq); err != nil || string(e.Data) != text {
			t.Fatalf("%d was acknowledged as %s, is %s, %v", seq, text, e.Data, err)
		}
	}
	t.Logf("%d events acknowledged", len(acknowledged))
}

func appendUntilRefused(t *testing.T, l *Log, acknowledged map[uint64]string, round int) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				text := fmt.Sprintf("%d/%d/%d %0200d", round, w, i, 0)
				begin := time.Now()
				seq, _, err := l.Append(t.Context(), stream.Draft{Site: "a", Data: []byte(text)})
				if err != nil {
					if d := time.Since(begin); !errors.Is(err, stream.ErrUnavailable) || d > 2*time.Second {
						t.Errorf("refused after %v with %v", d, err)
					}
					return
				}
				mu.Lock()
				acknowledged[seq] = text
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}
