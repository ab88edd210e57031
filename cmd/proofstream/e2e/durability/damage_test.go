package durability

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/ssetest"
)

// Files of the log are damaged while the program is stopped. After the start a log line and the metric report the damage. Intact
// events keep their ids: on streams, for retries and for erasures. Cursors from before the damage get a gap with a cursor to resume
// from. One more restart changes nothing, and the damaged file is kept. A repeated, altered or renumbered event would show a visitor
// the same card twice, or a wrong one.
func TestDamageTellsGapsAndKeepsIDs(t *testing.T) {
	e2e.Slow(t)
	const posts = 30
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, db string)
		kill   bool // end with SIGKILL, which leaves the newest events in the write-ahead log
		least  int  // events that must be intact
		kept   bool // the damaged file must be kept under another name
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
			p := e2e.Start(t, "PROOF_SHUTDOWN_GRACE=1s", e2e.MetricsOn(t))
			old := postOrders(t, p, posts)
			if c.kill {
				p.Kill()
			} else {
				p.Stop()
			}
			c.damage(t, filepath.Join(p.Dir, "proofstream.db"))
			p = p.Restart()
			if n := p.Metric(t, "proofstream_log_damage"); n < 1 || !strings.Contains(p.Stderr.String(), "level=ERROR") {
				t.Errorf("got metric %v, want at least 1, and log\n%s", n, p.Stderr)
			}
			left := intact(t, p, old, c.least)
			checkGaps(t, p, old, left)
			p.Stop()
			p = p.Restart()
			checkGaps(t, p, old, left)
			checkUse(t, p, old, left)
			if aside, _ := filepath.Glob(filepath.Join(p.Dir, "proofstream.db.damaged-*")); c.kept && len(aside) == 0 {
				t.Error("the damaged file is not kept")
			}
		})
	}
}

// intact returns the ids in the log. Each must be the id of a signup as it was posted, and there must be at least least of them.
func intact(t *testing.T, p *e2e.Program, old []string, least int) (left []string) {
	t.Helper()
	stdout, stderr, status := p.Command(t, "export")
	if status != 0 {
		t.Fatalf("export: status %d, %s", status, stderr)
	}
	for line := range strings.Lines(stdout) {
		id, name := ssetest.Field(line, "id"), ssetest.Field(line, "user_name")
		if i := slices.Index(old, id); i < 0 || name != fmt.Sprint("visitor ", i) {
			t.Errorf("%s is %q, which was not posted under that id", id, name)
		}
		left = append(left, id)
	}
	if len(left) < least {
		t.Errorf("%d of %d events are left, want %d at least", len(left), len(old), least)
	}
	return left
}

// checkGaps checks that every old cursor gets a gap and then the intact events after it, and that the cursor of the gap can be resumed
// from.
func checkGaps(t *testing.T, p *e2e.Program, old, left []string) {
	t.Helper()
	for _, from := range old {
		want := slices.DeleteFunc(slices.Clone(left), func(id string) bool { return e2e.Sequence(id) <= e2e.Sequence(from) })
		s := p.Listen(t, "?last_event_id="+from)
		got, opening := e2e.IDs(s.AwaitEvents(t, "signup", len(want))), s.Ready(t)
		s.Close()
		if !strings.Contains(opening.Data, `"replay":"gap","reason":"epoch"`) || !slices.Equal(got, want) {
			t.Errorf("from %s: got %s and %q, want a gap and %q", from, opening.Data, got, want)
		}
		s = p.Listen(t, "?last_event_id="+opening.ID)
		got, again := e2e.IDs(s.AwaitEvents(t, "signup", len(want))), s.Ready(t)
		s.Close()
		if !strings.Contains(again.Data, `"replay":"complete"`) || !slices.Equal(got, want) {
			t.Errorf("from %s, the cursor of the gap after %s: got %s and %q, want %q", opening.ID, from, again.Data, got, want)
		}
	}
}

// checkUse checks that a retry of an intact event returns its id, that such an event can be erased, and that a new event gets a new id.
func checkUse(t *testing.T, p *e2e.Program, old, left []string) {
	t.Helper()
	for _, id := range left {
		again, duplicate, err := p.PostKeyed(fmt.Sprint("order ", slices.Index(old, id)), "user_name=another")
		if err != nil || !duplicate || again != id {
			t.Errorf("a retry of %s: got %s, duplicate %v, %v", id, again, duplicate, err)
		}
	}
	if len(left) > 0 {
		p.Erase(t, left[0])
	}
	if id := p.Post(t); slices.Contains(old, id) {
		t.Errorf("id %s was used twice", id)
	}
}

// postOrders posts n signups, each with its own idempotency key, and returns their ids.
func postOrders(t *testing.T, p *e2e.Program, n int) (ids []string) {
	t.Helper()
	for i := range n {
		id, err := p.TryPost(fmt.Sprint("order ", i), fmt.Sprint("user_name=visitor ", i))
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

// flip inverts a bit of the first occurrence of text in a file.
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

// zero overwrites n bytes of a file with zeros.
func zero(t *testing.T, path string, from, n int) {
	t.Helper()
	edit(t, path, func(b []byte) []byte { clear(b[from : from+n]); return b })
}

// truncate removes by bytes from the end of a file; -1 removes all.
func truncate(t *testing.T, path string, by int) {
	t.Helper()
	edit(t, path, func(b []byte) []byte {
		if by < 0 {
			return nil
		}
		return b[:len(b)-by]
	})
}

// edit replaces the content of a file.
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
