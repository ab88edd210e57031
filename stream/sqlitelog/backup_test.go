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
	"testing"

	"proofstream/stream"
)

// TestBackup makes backups beside running appends. A restored one holds what was acknowledged before it began,
// and cursors from beyond it get a gap.
func TestBackup(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "copy.db")
	l := run(t, Options{Dir: dir})
	var before []stream.ID
	for i := range 20 {
		before = append(before, mustAppend(t, l, "a", fmt.Sprint(i), fmt.Sprint("key", i)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	appending := make(chan struct{})
	go func() {
		defer close(appending)
		for ctx.Err() == nil {
			l.Append(ctx, "a", stream.Entry{Data: []byte("during")})
		}
	}()
	if err := Backup(t.Context(), dir, file); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-appending
	beyond := mustAppend(t, l, "a", "after", "")
	if err := Backup(t.Context(), dir, file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("backup over a file: %v; want ErrExist", err)
	}
	if err := Backup(t.Context(), t.TempDir(), file+"2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("backup of nothing: %v; want ErrNotExist", err)
	}
	if names, _ := filepath.Glob(file + "*"); len(names) != 1 {
		t.Errorf("backup left %v", names)
	}
	l.stop()

	restore(t, file, dir)
	var said lockedBuffer
	restored := run(t, Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if restored.Damage() != 0 || !strings.Contains(said.String(), "backup") {
		t.Errorf("a restored backup: damage %d, log lines %s", restored.Damage(), &said)
	}
	b := mustBounds(t, restored, "a")
	for i, id := range before {
		if why, _ := b.Judge(id); why != "" {
			t.Errorf("cursor %v from before the backup is judged %q", id, why)
		}
		if found, err := restored.Find(t.Context(), "a", fmt.Sprint("key", i)); err != nil || found != id {
			t.Errorf("key %d: %v, %v; want %v", i, found, err, id)
		}
	}
	for range 1000 { // sequences beyond are given again
		mustAppend(t, restored, "a", "again", "")
		if b = mustBounds(t, restored, "a"); b.High > beyond.Seq {
			break
		}
	}
	if why, _ := b.Judge(beyond); why != stream.Foreign {
		t.Errorf("cursor %v from beyond the backup is judged %q, want %q", beyond, why, stream.Foreign)
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

// TestReader reads a log while it runs, and after.
func TestReader(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReader(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reader of nothing: %v; want ErrNotExist", err)
	}
	l := run(t, Options{Dir: dir, Limits: stream.Limits{Events: 600}})
	for i := range 700 {
		mustAppend(t, l, "a", fmt.Sprint(i), []string{"", fmt.Sprint("key", i)}[i%2])
	}
	mustAppend(t, l, "b", "{}", "")
	if err := l.Erase(t.Context(), "a", 600); err != nil {
		t.Fatal(err)
	}
	want := mustBounds(t, l, "a")
	check := func() {
		r, err := OpenReader(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if sites, err := r.Sites(t.Context()); err != nil || fmt.Sprint(sites) != "[a b]" {
			t.Errorf("sites %v, %v", sites, err)
		}
		if b, err := r.Bounds(t.Context(), "a"); err != nil || b.Low != want.Low || b.High != want.High || b.Signups != want.Signups || b.Epochs.ID(700) != want.Epochs.ID(700) {
			t.Errorf("bounds %+v, %v; want %+v", b, err, want)
		}
		if _, err := r.Bounds(t.Context(), "nobody"); !errors.Is(err, stream.ErrNotFound) {
			t.Errorf("bounds of no site: %v; want ErrNotFound", err)
		}
		var events, keys int
		for e, err := range r.Events(t.Context(), "a") {
			i := int(e.ID.Seq) - 1
			if err != nil || string(e.Data) != fmt.Sprint(i) || e.ID.Seq == 600 || (e.KeyHash != nil) != (i%2 == 1) {
				t.Fatalf("event %+v, %v", e, err)
			}
			if i%2 == 1 && string(e.KeyHash) != string(HashKey(fmt.Sprint("key", i))) {
				t.Errorf("event %d has another key", e.ID.Seq)
			}
			events++
		}
		for k, err := range r.Keys(t.Context(), "a") {
			if err != nil || string(k.Hash) != string(HashKey(fmt.Sprint("key", k.Seq-1))) || k.At.IsZero() {
				t.Fatalf("key %+v, %v", k, err)
			}
			keys++
		}
		if events != 599 && events != 600 || keys != 350 {
			t.Errorf("%d events, %d keys; want 599 or 600, 350", events, keys)
		}
	}
	check()
	l.stop()
	check()
}
