package resume

import (
	"os"
	"slices"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// After an older copy of the data directory is restored, cursors of the events posted since the copy get a gap. They never resume at
// a new event that has the same sequence as a lost one. Older cursors resume without a gap.
func TestLostPartOfTheLogIsAGap(t *testing.T) {
	p := e2e.Start(t, "PROOF_SHUTDOWN_GRACE=1s")
	kept := p.PostMany(t, "kept", 5)
	p.Stop()
	backup := t.TempDir()
	if err := os.CopyFS(backup, os.DirFS(p.Dir)); err != nil {
		t.Fatal(err)
	}
	p = p.Restart()
	lost := p.PostMany(t, "lost", 5)
	p.Stop()
	if err := os.RemoveAll(p.Dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(p.Dir, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}

	p = p.Restart()
	fresh := p.PostMany(t, "new", 7) // five of them with the sequences of the lost events
	all := slices.Concat(kept, fresh)
	for _, from := range lost {
		s := p.Listen(t, "?last_event_id="+from)
		got := s.AwaitEvents(t, "signup", len(all))
		if opening := s.Ready(t).Data; !strings.Contains(opening, `"replay":"gap","reason":"epoch"`) || !slices.Equal(e2e.IDs(got), all) {
			t.Errorf("from the lost %s: got %s and %q, want a gap and %q", from, opening, e2e.IDs(got), all)
		}
		s.Close()
	}
	s := p.Listen(t, "?last_event_id="+kept[2])
	got := s.AwaitEvents(t, "signup", 9)
	if opening := s.Ready(t).Data; !strings.Contains(opening, `"replay":"complete"`) || !slices.Equal(e2e.IDs(got), all[3:]) {
		t.Errorf("from the kept %s: got %s and %q", kept[2], opening, e2e.IDs(got))
	}
	for _, id := range lost {
		if slices.Contains(all, id) {
			t.Errorf("id %s was used twice", id)
		}
	}
}
