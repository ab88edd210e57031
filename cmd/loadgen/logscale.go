package main

import (
	"math"
	"strconv"
	"strings"
)

// logScale maps values to pixels, equal ratios to equal lengths.
type logScale struct {
	low, high  float64 // of the values
	start, end float64 // pixels of low and high
}

// A logScale has these bounds, so that a broken report cannot make it infinite.
const (
	scaleLeast = 1e-9
	scaleMost  = 1e15
)

// newLogScale returns a scale from low or less to high or more. Its ends are 1, 2 or 5 times a power of ten.
func newLogScale(low, high, start, end float64) logScale {
	low = stepBelow(bounded(low))
	high = 1 / stepBelow(1/bounded(max(low, high)))
	if high < 2*low*(1-1e-9) {
		high = 1 / stepBelow(1/(2*low))
	}
	return logScale{low, high, start, end}
}

func bounded(v float64) float64 { return max(scaleLeast, min(scaleMost, v)) }

// stepBelow returns the largest 1, 2 or 5 times a power of ten that is at most v.
func stepBelow(v float64) float64 {
	const tolerance = 1 + 1e-9
	power := math.Pow(10, math.Floor(math.Log10(v*tolerance)))
	for _, m := range []float64{5, 2} {
		if m*power <= v*tolerance {
			return m * power
		}
	}
	return power
}

// at returns the pixel of v, or that of the nearest end for a value outside the scale.
func (s logScale) at(v float64) float64 {
	v = max(s.low, min(s.high, v))
	return s.start + (s.end-s.start)*math.Log(v/s.low)/math.Log(s.high/s.low)
}

// ticks returns the values to label, on average at least spacing pixels apart: steps of 1, 2 and 5 where they fit, else powers of ten.
func (s logScale) ticks(spacing float64) []float64 {
	decades := math.Log10(s.high / s.low)
	fit := math.Abs(s.end-s.start) / spacing
	multiples, every := []float64{1, 2, 5}, 1
	if 3*decades > fit {
		multiples, every = []float64{1}, int(math.Ceil(decades/fit))
	}
	var list []float64
	for e := int(math.Floor(math.Log10(s.low))) / every * every; float64(e) <= math.Log10(s.high)+1e-9; e += every {
		for _, m := range multiples {
			if v := m * math.Pow(10, float64(e)); v >= s.low*(1-1e-9) && v <= s.high*(1+1e-9) {
				list = append(list, v)
			}
		}
	}
	return list
}

// short formats a value with three significant digits, and with commas between thousands.
func short(v float64) string {
	switch {
	case v >= 1e9:
		return strings.Replace(strconv.FormatFloat(v, 'g', 3, 64), "e+", "e", 1)
	case v >= 1000:
		return number(v)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
