package natslog

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"proofstream/stream"
	"proofstream/stream/natslog/natstest"
	"proofstream/stream/waitfor"
)

// TestErasedBytesAreGone would catch an erasure that leaves the visitor's name or key in the server's files.
func TestErasedBytesAreGone(t *testing.T) {
	c := natstest.Start(t, 1)
	l := opened(t, Options{URL: c.URL()})
	id, _, err := l.Append(t.Context(), "a", stream.Entry{Data: []byte("Canary-data"), Key: "Canary-key"})
	if err != nil {
		t.Fatal(err)
	}
	appendN(t, l, 1)
	holds := func() (found bool) {
		err := filepath.WalkDir(c.Servers[0].Dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			found = found || bytes.Contains(b, []byte("Canary"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	waitfor.Fact(t, "the event is in a file", holds)
	for range 2 {
		if err := l.Erase(t.Context(), "a", id.Seq); err != nil {
			t.Fatal(err)
		}
	}
	if holds() {
		t.Error("the event is in a file after its erasure")
	}
}
