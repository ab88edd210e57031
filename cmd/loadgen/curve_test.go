package main

import "testing"

// TestCurveHasTheQuantilesOfItsSamples would catch a curve that is shifted, misses its maximum, or claims percentiles that its samples
// do not show.
func TestCurveHasTheQuantilesOfItsSamples(t *testing.T) {
	h := newLatencies()
	for ms := int64(1); ms <= 1000; ms++ {
		_ = h.RecordValue(1000 * ms)
	}
	c := newCurve(h)
	want := map[float64]float64{1: 1, 10: 900, 100: 990, 1000: 1000} // by rarity: 0 %, 90 %, 99 % and the maximum
	found := 0
	for i, q := range c.points {
		if i > 0 && (q.rarity <= c.points[i-1].rarity || q.ms < c.points[i-1].ms) {
			t.Errorf("point %d is %+v after %+v, want it to rise", i, q, c.points[i-1])
		}
		for rarity, ms := range want {
			if near(q.rarity, rarity) {
				found++
				if q.ms < 0.998*ms || q.ms > 1.002*ms {
					t.Errorf("one in %g samples took longer than %g ms, want %g", rarity, q.ms, ms)
				}
			}
		}
	}
	if found != len(want) || c.samples != 1000 {
		t.Errorf("%d of the quantiles %v in %d samples, want all of them in 1000", found, want, c.samples)
	}
}

func TestCurveOfFewSamples(t *testing.T) {
	h := newLatencies()
	if c := newCurve(h); c.samples != 0 || len(c.points) != 0 {
		t.Errorf("the curve of no sample is %+v, want no point", c)
	}
	_ = h.RecordValue(7000)
	if c := newCurve(h); c.samples != 1 || len(c.points) != 1 || c.points[0].rarity != 1 || !near(c.points[0].ms, 7.003) {
		t.Errorf("the curve of one sample of 7 ms is %+v, want one point", c)
	}
}
