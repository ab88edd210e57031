package api

import "testing"

func TestFewOfThoseTurnedAwayLinger(t *testing.T) {
	var l lingerers
	leave := func() {}
	for i := range lingerMost {
		stay, left := l.enter(lingerFor)
		if stay != lingerFor {
			t.Fatalf("number %d stays %v, want %v", i+1, stay, lingerFor)
		}
		leave = left
	}
	stay, left := l.enter(lingerFor)
	if stay != 0 {
		t.Errorf("one too many stays %v", stay)
	}
	left()
	leave()
	if stay, _ := l.enter(lingerFor); stay != lingerFor {
		t.Errorf("when one has left the next stays %v, want %v", stay, lingerFor)
	}
}
