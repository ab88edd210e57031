package main

import (
	"math"
	"testing"
)

// TestLogScaleKeepsRatios would catch a scale that leaves out a value, is not logarithmic, or grows without bounds.
func TestLogScaleKeepsRatios(t *testing.T) {
	cases := []struct {
		name                   string
		low, high              float64 // of the values
		wantLow, wantHigh      float64
		fewestTicks, mostTicks int
	}{
		{"values between steps", 3, 170, 2, 200, 7, 7},
		{"values on steps", 2, 200, 2, 200, 7, 7},
		{"a single value", 1, 1, 1, 2, 2, 2},
		{"a single value between steps", 7, 7, 5, 10, 2, 2},
		{"small values", 0.001, 0.004, 0.001, 0.005, 3, 3},
		{"many decades", 0.001, 600_000, 0.001, 1e6, 10, 10},
		{"zero and infinity", 0, math.Inf(1), scaleLeast, scaleMost, 2, 13},
	}
	for _, c := range cases {
		s := newLogScale(c.low, c.high, 100, 300)
		if !near(s.low, c.wantLow) || !near(s.high, c.wantHigh) {
			t.Errorf("%s: scale from %g to %g, want %g to %g", c.name, s.low, s.high, c.wantLow, c.wantHigh)
		}
		if middle := s.at(math.Sqrt(s.low * s.high)); !near(middle, 200) || !near(s.at(s.low), 100) || !near(s.at(2*s.high), 300) {
			t.Errorf("%s: ends at %g and %g, middle at %g; want 100, 300, 200", c.name, s.at(s.low), s.at(2*s.high), middle)
		}
		ticks := s.ticks(20)
		if len(ticks) < c.fewestTicks || len(ticks) > c.mostTicks {
			t.Errorf("%s: ticks %v, want %d to %d of them", c.name, ticks, c.fewestTicks, c.mostTicks)
		}
	}
}

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-6*math.Abs(want) }

func TestShortNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0.001: "0.001", 0.5: "0.5", 1: "1", 27.34: "27.3", 999: "999", 1234567: "1,234,567", 2.5e12: "2.5e12",
	} {
		if got := short(v); got != want {
			t.Errorf("short(%g) = %q, want %q", v, got, want)
		}
	}
}
