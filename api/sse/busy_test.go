package sse

import "testing"

func TestFewNewStreamsAreHeldAfterBusy(t *testing.T) {
	var l held
	leave := func() {}
	for i := range holdMost {
		stay, left := l.enter(holdFor)
		if stay != holdFor {
			t.Fatalf("number %d stays %v, want %v", i+1, stay, holdFor)
		}
		leave = left
	}
	stay, left := l.enter(holdFor)
	if stay != 0 {
		t.Errorf("one too many stays %v", stay)
	}
	left()
	leave()
	if stay, _ := l.enter(holdFor); stay != holdFor {
		t.Errorf("when one has left the next stays %v, want %v", stay, holdFor)
	}
}
