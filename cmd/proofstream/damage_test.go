package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Files of the log are damaged while the program is stopped. Log and metric say so, and it serves what is intact
// under the ids that were acknowledged: on streams, for retries and for erasure. Cursors from before get a gap with a cursor
// to resume from. One more restart changes nothing, and the damaged file is kept. A repeated, altered or
// renumbered event would show a visitor the same card twice, or a wrong one.
func TestDamageTellsGapsAndKeepsIDs(t *testing.T) {
	slow(t)
	const posts = 30
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, db string)
		kill   bool // end with a crash, so that the newest is in the write-ahead log
		least  int  // events that are left
		kept   bool // the damaged file is moved aside
	}{
		{"a changed bit in an event", func(t *testing.T, db string) { flip(t, db, "visitor 12") }, false, posts - 1, true},
		{"a changed bit in the schema", func(t *testing.T, db string) { flip(t, db, "CREATE TABLE events") }, false, posts, true},
		{"a zeroed first page", func(t *testing.T, db string) { zero(t, db, 0, 4096) }, false, posts, true},
		{"a truncated file", func(t *testing.T, db string) { truncate(t, db, 4096) }, false, 0, true},
		{"a deleted file", removeFile, false, 0, false},
		{"an empty file", func(t *testing.T, db string) { truncate(t, db, -1) }, false, 0, false},
		{"a deleted write-ahead log", func(t *testing.T, db string) { removeFile(t, db+"-wal") }, true, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t, "PROOF_SHUTDOWN_GRACE=1s", metricsOn(t))
			old := postOrders(t, p, posts)
			if c.kill {
				p.kill()
			} else {
				p.stop()
			}
			c.damage(t, filepath.Join(p.dir, "proofstream.db"))
			p = p.restart()
			if n := p.metric(t, "proofstream_log_damage"); n < 1 || !strings.Contains(p.stderr.String(), "level=ERROR") {
				t.Errorf("the metric says %v; the log says:\n%s", n, p.stderr)
			}
			left := p.intact(t, old, c.least)
			checkGaps(t, p, old, left)
			p.stop()
			p = p.restart()
			checkGaps(t, p, old, left)
			checkUse(t, p, old, left)
			if aside, _ := filepath.Glob(filepath.Join(p.dir, "proofstream.db.damaged-*")); c.kept && len(aside) == 0 {
				t.Error("the damaged file is not kept")
			}
		})
	}
}

// intact returns the ids that the log still has, each of which must be of a signup as it was posted.
func (p *program) intact(t *testing.T, old []string, least int) (left []string) {
	t.Helper()
	stdout, stderr, status := p.command(t, "export")
	if status != 0 {
		t.Fatalf("export: status %d, %s", status, stderr)
	}
	for line := range strings.Lines(stdout) {
		id, name := jsonField(line, "id"), jsonField(line, "user_name")
		if i := slices.Index(old, id); i < 0 || name != fmt.Sprint("visitor ", i) {
			t.Errorf("%s is %q, which nobody posted under that id", id, name)
		}
		left = append(left, id)
	}
	if len(left) < least {
		t.Errorf("%d of %d events are left, want %d at least", len(left), len(old), least)
	}
	return left
}

// checkGaps checks that every cursor from before gets a gap, with what is left after it, and that the cursor in
// the gap is one to resume from.
func checkGaps(t *testing.T, p *program, old, left []string) {
	t.Helper()
	for _, from := range old {
		want := slices.DeleteFunc(slices.Clone(left), func(id string) bool { return sequence(id) <= sequence(from) })
		s := p.listen(t, "?last_event_id="+from)
		got, opening := ids(s.awaitEvents(t, "signup", len(want))), s.ready(t)
		s.close()
		if !strings.Contains(opening.data, `"replay":"gap","reason":"epoch"`) || !slices.Equal(got, want) {
			t.Errorf("from %s: got %s and %q, want a gap and %q", from, opening.data, got, want)
		}
		s = p.listen(t, "?last_event_id="+opening.id)
		got, again := ids(s.awaitEvents(t, "signup", len(want))), s.ready(t)
		s.close()
		if !strings.Contains(again.data, `"replay":"complete"`) || !slices.Equal(got, want) {
			t.Errorf("from %s, given to the cursor %s: got %s and %q, want %q", opening.id, from, again.data, got, want)
		}
	}
}

// checkUse checks that retries find the events that are left, that they can be erased, and that new ones get new ids.
func checkUse(t *testing.T, p *program, old, left []string) {
	t.Helper()
	for _, id := range left {
		again, duplicate, err := p.postKeyed(fmt.Sprint("order ", slices.Index(old, id)), "user_name=another")
		if err != nil || !duplicate || again != id {
			t.Errorf("a retry of %s: got %s, duplicate %v, %v", id, again, duplicate, err)
		}
	}
	if len(left) > 0 {
		p.erase(t, left[0])
	}
	if id := p.post(t); slices.Contains(old, id) {
		t.Errorf("the id %s was given twice", id)
	}
}

// postOrders posts n signups with a key each.
func postOrders(t *testing.T, p *program, n int) (ids []string) {
	t.Helper()
	for i := range n {
		id, err := p.tryPost(fmt.Sprint("order ", i), fmt.Sprint("user_name=visitor ", i))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func removeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// flip changes one bit in the first place where the file has the text.
func flip(t *testing.T, path, text string) {
	t.Helper()
	edit(t, path, func(b []byte) []byte {
		at := bytes.Index(b, []byte(text))
		if at < 0 {
			t.Fatalf("%s does not have %q", path, text)
		}
		b[at] ^= 4
		return b
	})
}

func zero(t *testing.T, path string, from, n int) {
	t.Helper()
	edit(t, path, func(b []byte) []byte { clear(b[from : from+n]); return b })
}

// truncate removes a number of bytes from the end of a file, or all with -1.
func truncate(t *testing.T, path string, by int) {
	t.Helper()
	edit(t, path, func(b []byte) []byte {
		if by < 0 {
			return nil
		}
		return b[:len(b)-by]
	})
}

func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
