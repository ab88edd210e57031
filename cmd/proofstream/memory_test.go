package main

import "testing"

// A burst ends once, after a second without one.
func TestBurstDetectorFindsTheEndOfABurst(t *testing.T) {
	const calm, burst = burstBytes - 1, burstBytes
	for _, c := range []struct {
		name      string
		allocated []uint64
		want      int // index of the interval that ends a burst; -1: none does
	}{
		{"the start is a burst", []uint64{calm, calm, calm, calm, calm}, 3},
		{"a burst goes on", []uint64{calm, calm, calm, burst, calm, calm, calm}, -1},
		{"a burst ends", []uint64{burst, burst, 0, 0, 0, 0, 0}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d burstDetector
			got := -1
			for i, allocated := range c.allocated {
				if !d.ended(allocated) {
					continue
				}
				if got >= 0 {
					t.Errorf("the burst ended at %d and again at %d", got, i)
				}
				got = i
			}
			if got != c.want {
				t.Errorf("got the end at %d, want %d", got, c.want)
			}
		})
	}
}
