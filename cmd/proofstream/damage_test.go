package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Files of the log are damaged while the program is stopped. It says so, whoever was there before is told a gap, and
// every signup that is left has the id under which it was acknowledged: on streams, for retries and for erasure. So it
// stays after one more restart. A repeated or renumbered event shows a visitor the same card twice.
func TestDamageTellsGapsAndKeepsIDs(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir, msgs string)
		left   int // of 30
	}{
		{"the index is gone", func(t *testing.T, _, msgs string) { removeFile(t, msgs+"/index.db") }, 30},
		{"the record is gone", func(t *testing.T, dir, _ string) { removeFile(t, dir+"/log.json") }, 30},
		{"the record is empty", func(t *testing.T, dir, _ string) { truncate(t, dir+"/log.json", -1) }, 30},
		{"the record and the tail are gone", func(t *testing.T, dir, msgs string) {
			removeFile(t, dir+"/log.json")
			truncate(t, msgs+"/1.blk", 70)
		}, 29},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := freeAddress(t)
			p := start(t, "PROOF_SHUTDOWN_GRACE=1s", "PROOF_METRICS_ADDR="+address)
			old := postKeyed(t, p, 30)
			endInOrder(t, p)
			c.damage(t, p.dir, filepath.Join(p.dir, "jetstream/$G/streams/proofstream/msgs"))
			p = p.restart()
			p.awaitLog("log is damaged")
			ops := &program{t: t, url: "http://" + address}
			if got := ops.get(t, "/metrics").body; !strings.Contains(got, "\nproofstream_log_damage 1\n") {
				t.Errorf("not told in the metrics:\n%s", got)
			}
			checkLeft(t, p, old, c.left)
			endInOrder(t, p)
			p = p.restart()
			checkLeft(t, p, old, c.left)
			if a := p.ask(t, "DELETE", "/signup/"+old[7], "", "X-API-Key: "+p.key); a.status != 204 {
				t.Errorf("erasing %s: got %d %s", old[7], a.status, a.body)
			}
			s := p.listen(t, "?last_event_id="+old[5])
			if got, want := ids(s.awaitEvents(t, "signup", c.left-7)), slices.Delete(slices.Clone(old[6:c.left]), 1, 2); !slices.Equal(got, want) {
				t.Errorf("after the erasure got %q, want %q", got, want)
			}
		})
	}
}

// checkLeft checks that everybody who comes from before is told a gap, gets what was not seen of the first signups that
// are left, and goes on from the position that was told with it.
func checkLeft(t *testing.T, p *program, old []string, left int) {
	t.Helper()
	for i, from := range old {
		want := old[min(i+1, left):left]
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
			t.Errorf("from %s, told to who came from %s: got %s and %q, want %q", opening.id, from, again.data, got, want)
		}
	}
	for i, id := range old[:left] {
		again, duplicate, err := postTo(p.url, p.key, fmt.Sprint("order ", i), "user_name=another")
		if err != nil || !duplicate || again != id {
			t.Errorf("a retry of %s: got %s, duplicate %v, %v", id, again, duplicate, err)
		}
	}
}

// postKeyed posts n signups with a key each.
func postKeyed(t *testing.T, p *program, n int) (ids []string) {
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

func endInOrder(t *testing.T, p *program) {
	t.Helper()
	p.term()
	if status := p.wait(); status != 0 {
		t.Fatalf("got status %d", status)
	}
}

func removeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// truncate cuts so many bytes from the end of a file, or all with -1.
func truncate(t *testing.T, path string, by int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if by < 0 {
		by = info.Size()
	}
	if err := os.Truncate(path, info.Size()-by); err != nil {
		t.Fatal(err)
	}
}
