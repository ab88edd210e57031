package protocol

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// After several crashes and restarts every earlier cursor resumes without a gap, and every event keeps its id.
func TestIDsSurviveManyRestarts(t *testing.T) {
	p := e2e.Start(t)
	s := p.Follow(t, "")
	cursors := []string{s.Ready(t).ID}
	var want []string
	for round := range 4 {
		want = append(want, p.PostMany(t, fmt.Sprintf("round %d ", round), 3)...)
		if round%2 == 0 {
			p.Kill()
		} else {
			p.Stop()
		}
		p = p.Restart()
	}
	cursors = append(cursors, want...)
	for i, from := range cursors[:len(want)] {
		again := p.Listen(t, "?last_event_id="+from)
		got := e2e.IDs(again.AwaitEvents(t, "signup", len(want)-i))
		if opening := again.Ready(t).Data; !strings.Contains(opening, `"replay":"complete"`) || !slices.Equal(got, want[i:]) {
			t.Errorf("from %s: got %s and %q, want %q", from, opening, got, want[i:])
		}
		again.Close()
	}
	if got := e2e.IDs(s.AwaitEvents(t, "signup", len(want))); !slices.Equal(got, want) {
		t.Errorf("the stream that reconnected got %q, want %q", got, want)
	}
}
