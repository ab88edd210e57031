package sqlitelog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"proofstream/stream"
)

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
	checkReader(t, dir, want)
	l.stop()
	checkReader(t, dir, want)
}

// checkReader reads the log of TestReader.
func checkReader(t *testing.T, dir string, want stream.Bounds) {
	t.Helper()
	r, err := OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if sites, err := r.Sites(t.Context()); err != nil || fmt.Sprint(sites) != "[a b]" {
		t.Errorf("sites %v, %v; want a and b", sites, err)
	}
	if b, err := r.Bounds(t.Context(), "a"); err != nil || b.Low != want.Low || b.High != want.High || b.Signups != want.Signups || b.Epochs.ID(700) != want.Epochs.ID(700) {
		t.Errorf("bounds %+v, %v; want %+v", b, err, want)
	}
	if _, err := r.Bounds(t.Context(), "new"); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("bounds of no site: %v; want ErrNotFound", err)
	}
	var events, keys int
	for e, err := range r.Events(t.Context(), "a") {
		i := int(e.ID.Seq) - 1
		var hash []byte
		if i%2 == 1 {
			hash = stream.HashKey(fmt.Sprint("key", i))
		}
		if err != nil || string(e.Data) != fmt.Sprint(i) || e.ID.Seq == 600 || !bytes.Equal(e.KeyHash, hash) {
			t.Fatalf("event %+v, %v; want key hash %x", e, err, hash)
		}
		events++
	}
	for k, err := range r.Keys(t.Context(), "a") {
		if err != nil || !bytes.Equal(k.Hash, stream.HashKey(fmt.Sprint("key", k.Seq-1))) {
			t.Fatalf("key %+v, %v", k, err)
		}
		keys++
	}
	if events != 599 && events != 600 || keys != 350 {
		t.Errorf("%d events, %d keys; want 599 or 600, 350", events, keys)
	}
}
