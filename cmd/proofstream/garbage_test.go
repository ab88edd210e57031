package main

import "testing"

const mb = 1 << 20

// Much garbage may grow only while much is allocated, and while it is much beside what is in use.
func TestGarbageGrowsInARush(t *testing.T) {
	calm := garbagePace{percent: leastGarbage}
	rushing := garbagePace{percent: 300, looks: calmLooks}
	for _, c := range []struct {
		when                   string
		before                 garbagePace
		allocated, inUse       uint64
		wantPercent, wantLooks int
	}{
		{"nothing happens", calm, 0, 10 * mb, leastGarbage, 0},
		{"a trickle", calm, 3 * mb, 10 * mb, leastGarbage, 0},
		{"a rush begins", calm, 10 * mb, 10 * mb, 300, calmLooks},
		{"a rush with much in use", calm, 10 * mb, 1000 * mb, leastGarbage, calmLooks},
		{"a rush that would take all memory", calm, 1000 * mb, 16 * mb, 400, calmLooks},
		{"nothing in use is measured yet", calm, 10 * mb, 0, 3000, calmLooks},
		{"a rush goes on, a little faster", rushing, 11 * mb, 10 * mb, 300, calmLooks},
		{"a rush goes on, much faster", rushing, 20 * mb, 10 * mb, 600, calmLooks},
		{"a pause in a rush", rushing, 0, 10 * mb, 300, calmLooks - 1},
		{"a rush is over", garbagePace{percent: 300, looks: 1}, 0, 10 * mb, leastGarbage, 0},
	} {
		got := c.before.after(c.allocated, c.inUse)
		if want := (garbagePace{percent: c.wantPercent, looks: c.wantLooks}); got != want {
			t.Errorf("%s: got %+v, want %+v", c.when, got, want)
		}
	}
}
