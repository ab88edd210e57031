package sqlitelog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"proofstream/stream"
	"proofstream/stream/waitfor"
)

// TestBackup makes a backup while events are appended. A restored one holds what was acknowledged before it started, and cursors from beyond it
// get a gap.
func TestBackup(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "copy.db")
	l := run(t, Options{Dir: dir})
	var before []stream.ID
	for i := range 20 {
		before = append(before, mustAppend(t, l, "a", fmt.Sprint(i), fmt.Sprint("key", i)))
	}
	backUpDuringAppends(t, l, file)
	beyond := mustAppend(t, l, "a", "after", "")
	l.stop()
	restore(t, file, dir)
	var logged waitfor.Output
	restored := run(t, Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	if restored.Damage() != 0 || !strings.Contains(logged.String(), "backup") {
		t.Errorf("a restored backup: damage %d, log lines %s", restored.Damage(), &logged)
	}
	b := mustBounds(t, restored, "a")
	for i, id := range before {
		if why, _ := b.Check(id); why != "" {
			t.Errorf("cursor %v from before the backup gets %q", id, why)
		}
		if found, err := restored.Find(t.Context(), "a", fmt.Sprint("key", i)); err != nil || found != id {
			t.Errorf("key %d: %v, %v; want %v", i, found, err, id)
		}
	}
	for b.High <= beyond.Seq { // sequences beyond the backup are given again
		mustAppend(t, restored, "a", "again", "")
		b = mustBounds(t, restored, "a")
	}
	if why, _ := b.Check(beyond); why != stream.EpochChanged {
		t.Errorf("cursor %v from beyond the backup gets %q, want %q", beyond, why, stream.EpochChanged)
	}
}

// backUpDuringAppends makes a backup while another goroutine appends.
func backUpDuringAppends(t *testing.T, l *running, file string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var appending sync.WaitGroup
	appending.Go(func() {
		for ctx.Err() == nil {
			l.Append(ctx, "a", stream.Entry{Data: []byte("during")})
		}
	})
	defer appending.Wait()
	defer cancel()
	if err := Backup(t.Context(), l.opts.Dir, file); err != nil {
		t.Fatal(err)
	}
}

// TestBackupRefuses would catch a backup that replaces a file, or that leaves something after an error.
func TestBackupRefuses(t *testing.T) {
	l := run(t, Options{Dir: t.TempDir()})
	file := filepath.Join(t.TempDir(), "copy.db")
	if err := Backup(t.Context(), l.opts.Dir, file); err != nil {
		t.Fatal(err)
	}
	if err := Backup(t.Context(), l.opts.Dir, file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("backup over a file: %v; want ErrExist", err)
	}
	if err := Backup(t.Context(), t.TempDir(), file+"2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("backup of nothing: %v; want ErrNotExist", err)
	}
	if names, _ := filepath.Glob(file + "*"); len(names) != 1 {
		t.Errorf("backups left %v; want one file", names)
	}
}

// restore puts a backup in the place of a log's database.
func restore(t *testing.T, file, dir string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, databaseFile), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
