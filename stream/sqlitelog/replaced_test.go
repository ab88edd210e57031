package sqlitelog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"proofstream/stream"
)

// A restored backup must run like any other log: VACUUM INTO writes a file in another journal mode, in which an
// outside reader would block every append.
func TestRestoredBackupRunsInWALMode(t *testing.T) {
	dir, restored := t.TempDir(), t.TempDir()
	l, stop := startLog(t, dir)
	if _, _, err := l.Append(t.Context(), "default", stream.Entry{Data: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	if err := Backup(t.Context(), dir, filepath.Join(restored, databaseFile)); err != nil {
		t.Fatal(err)
	}
	stop()
	_, stop = startLog(t, restored)
	defer stop()
	head, err := os.ReadFile(filepath.Join(restored, databaseFile))
	if err != nil || head[18] != 2 || head[19] != 2 {
		t.Errorf("journal mode bytes %v, %v; want 2 2, write-ahead log (sqlite.org/fileformat2.html, section 1.3.3)", head[18:20], err)
	}
}

// Backups that overlap must not spoil each other: one makes the file, the others find it.
func TestBackupsToOneFileDoNotSpoilEachOther(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "backup.db")
	_, stop := startLog(t, dir)
	defer stop()
	var backing sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		backing.Go(func() { errs[i] = Backup(t.Context(), dir, file) })
	}
	backing.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else if !errors.Is(err, os.ErrExist) {
			t.Errorf("got %v, want success or fs.ErrExist", err)
		}
	}
	if left, _ := filepath.Glob(file + ".*"); made != 1 || len(left) > 0 {
		t.Errorf("%d backups were made and %v left, want 1 and nothing", made, left)
	}
}

// A database that is removed or replaced while the log runs would lose the signups that it takes.
func TestRemovedDatabaseRefusesAppends(t *testing.T) {
	dir := t.TempDir()
	l, stop := startLog(t, dir)
	defer stop()
	if _, _, err := l.Append(t.Context(), "default", stream.Entry{Data: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, databaseFile)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Append(t.Context(), "default", stream.Entry{Data: []byte(`{}`)}); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("append: got %v, want ErrUnavailable", err)
	}
	if err := l.Healthy(); err == nil || !strings.Contains(err.Error(), "removed or replaced") || l.Damage() == 0 {
		t.Errorf("healthy: got %v with damage %d, want the reason and damage", err, l.Damage())
	}
}

// A row that is changed on disk while the writer still has its page in memory is removed like any other: the log goes on.
func TestChangedRowIsRemovedThoughItsPageIsCached(t *testing.T) {
	dir := t.TempDir()
	l, stop := startLog(t, dir)
	defer stop()
	var flipped, erased stream.ID
	for i := range 120 {
		text := "Ada"
		if i == 60 {
			text = "flip me"
		}
		if erased = mustAppend(t, l, "default", text, ""); i == 60 {
			flipped = erased
		}
	}
	if err := l.Erase(t.Context(), "default", erased.Seq); err != nil { // which moves everything to the database file
		t.Fatal(err)
	}
	overwrite(t, filepath.Join(dir, databaseFile), "flip me", "F")
	if _, _, err := l.Read(t.Context(), "default", 0, 1000); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("the first read: got %v, want ErrUnavailable", err)
	}
	events, b, err := l.Read(t.Context(), "default", 0, 1000)
	if err != nil {
		t.Fatalf("the next read: %v", err)
	}
	if slices.ContainsFunc(events, func(e stream.Event) bool { return e.ID == flipped }) {
		t.Error("the changed event is served")
	}
	if reason, _ := b.Check(flipped); reason != stream.EpochChanged || len(events) == 0 {
		t.Errorf("a cursor from before: got %q and %d events, want a gap and what is intact", reason, len(events))
	}
	mustAppend(t, l, "default", "{}", "")
	if err := l.Healthy(); err != nil {
		t.Errorf("healthy: %v", err)
	}
}

// overwrite replaces the start of a text in a file.
func overwrite(t *testing.T, path, text, with string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt([]byte(with), int64(bytes.Index(readFile(t, path), []byte(text))))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) // closing it earlier would drop the locks that POSIX gives the log on this file
}
