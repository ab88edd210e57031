package sse

import "testing"

func TestAtMostMaxHeldNewStreamsAreHeldAfterBusy(t *testing.T) {
	var h held
	leave := func() {}
	for i := range maxHeld {
		stay, left := h.enter(holdFor)
		if stay != holdFor {
			t.Fatalf("number %d stays %v, want %v", i+1, stay, holdFor)
		}
		leave = left
	}
	stay, left := h.enter(holdFor)
	if stay != 0 {
		t.Errorf("one too many stays %v", stay)
	}
	left()
	leave()
	if stay, _ := h.enter(holdFor); stay != holdFor {
		t.Errorf("when one has left the next stays %v, want %v", stay, holdFor)
	}
}
