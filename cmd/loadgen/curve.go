package main

import (
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// curve is the distribution of a latency: points with rising quantiles, the last of them the maximum. The zero value has no sample.
type curve struct {
	samples int64
	points  []quantile
}

// quantile says that one in rarity samples took longer than ms: a median has rarity 2, a 99th percentile 100.
type quantile struct{ rarity, ms float64 }

// curveSteps is the number of points for each factor of ten in rarity.
const curveSteps = 24

// newCurve returns the distribution of a histogram of microseconds. Of n samples none says what less than one in n takes, so the
// maximum has rarity n.
func newCurve(h *hdrhistogram.Histogram) curve {
	c := curve{samples: h.TotalCount()}
	if c.samples == 0 {
		return c
	}
	var percents []float64
	for k := 0; rarityAt(k) < float64(c.samples); k++ {
		percents = append(percents, 100*(1-1/rarityAt(k)))
	}
	for k, micros := range h.ValueAtPercentilesSlice(percents) {
		c.points = append(c.points, quantile{rarityAt(k), float64(micros) / 1e3})
	}
	c.points = append(c.points, quantile{float64(c.samples), float64(h.Max()) / 1e3})
	return c
}

func rarityAt(k int) float64 { return math.Pow(10, float64(k)/curveSteps) }
