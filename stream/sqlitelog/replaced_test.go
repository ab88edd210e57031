package sqlitelog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
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

// A write-ahead log that disappears after a kill, with all that was stored since the start, is damage and no backup.
func TestMissingWALIsToldAsDamage(t *testing.T) {
	dir := t.TempDir()
	l, _ := startLog(t, dir) // never closed in good order: a copy of the files is what a kill leaves
	for range 3 {
		if _, _, err := l.Append(t.Context(), "default", stream.Entry{Data: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
	}
	killed := t.TempDir()
	for _, name := range []string{databaseFile, lockFile} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(killed, name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	again, stop := startLog(t, killed)
	defer stop()
	if again.Damage() == 0 {
		t.Error("no damage was told, though the newest events are gone")
	}
}

// A database that is removed or replaced while the log runs would take signups that nobody finds again.
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
		data := `{"user_name":"Ada"}`
		if i == 60 {
			data = `{"user_name":"flip me"}`
		}
		id, _, err := l.Append(t.Context(), "default", stream.Entry{Data: []byte(data)})
		if err != nil {
			t.Fatal(err)
		}
		if erased = id; i == 60 {
			flipped = id
		}
	}
	if err := l.Erase(t.Context(), "default", erased.Seq); err != nil { // which moves everything to the database file
		t.Fatal(err)
	}
	path := filepath.Join(dir, databaseFile)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt([]byte("F"), int64(bytes.Index(file, []byte("flip me"))))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) // to close it earlier would drop the locks of the log, as POSIX has it

	if _, _, err := l.Read(t.Context(), "default", 0, 1000); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("the first read: got %v, want ErrUnavailable", err)
	}
	events, b, err := l.Read(t.Context(), "default", 0, 1000)
	if err != nil {
		t.Fatalf("the next read: %v", err)
	}
	for _, e := range events {
		if e.ID == flipped {
			t.Error("the changed event is served")
		}
	}
	if reason, _ := b.Judge(flipped); reason != stream.Foreign || len(events) == 0 {
		t.Errorf("a cursor from before: got %q and %d events, want a gap and what is intact", reason, len(events))
	}
	if _, _, err := l.Append(t.Context(), "default", stream.Entry{Data: []byte(`{}`)}); err != nil || l.Healthy() != nil {
		t.Errorf("append afterwards: %v, healthy: %v", err, l.Healthy())
	}
}
