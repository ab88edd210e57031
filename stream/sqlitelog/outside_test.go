package sqlitelog

import (
	"context"
	"errors"
	"testing"
	"time"

	"proofstream/stream"
)

// outsideReader opens a read transaction beside the log, as another process such as sqlite3 does. The function returned ends it.
func outsideReader(t *testing.T, l *running) (end func()) {
	t.Helper()
	c, err := openConn(l.path, reading)
	if err == nil {
		err = c.exec("BEGIN")
	}
	if err == nil {
		_, err = c.value("SELECT count(*) FROM events") // the transaction starts here
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(c.exec("COMMIT"), c.close()); err != nil {
			t.Error(err)
		}
	}
}

// TestOutsideReaderDelaysErasure has another process keep a read transaction open: an erasure cannot be complete before it ends, and nothing
// else may be affected.
func TestOutsideReaderDelaysErasure(t *testing.T) {
	dir := t.TempDir()
	l := run(t, Options{Dir: dir})
	id := mustAppend(t, l, "a", `{"secret":"Ada"}`, "")
	end := outsideReader(t, l)
	mustAppend(t, l, "a", `{"secret":"other"}`, "") // so that the reader needs the write-ahead log
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := l.Erase(short, "a", id.Seq); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("erasure beside an outside reader: %v; want an error when its context ends", err)
	}
	events, _, err := l.Read(t.Context(), "a", 0, 10)
	if err != nil || len(events) != 1 {
		t.Errorf("read after the erasure: %v, %v; want the other event only", events, err)
	}
	erased := make(chan error, 1)
	go func() { erased <- l.Erase(t.Context(), "a", id.Seq) }()
	for range 20 {
		started := time.Now()
		mustAppend(t, l, "a", "{}", "")
		if d := time.Since(started); d > 2*time.Second {
			t.Errorf("an append took %v while an erasure waited", d)
		}
	}
	select {
	case err := <-erased:
		t.Errorf("the erasure ended (%v) while its bytes may still be read", err)
	default:
	}
	end()
	if err := <-erased; err != nil {
		t.Errorf("erasure after the reader's end: %v", err)
	}
	if files := holding(t, dir, `"secret":"Ada"`); len(files) > 0 {
		t.Errorf("the erased bytes are in %v", files)
	}
}
