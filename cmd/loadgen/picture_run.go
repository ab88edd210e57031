package main

import (
	"fmt"
	"io"
	"math"
)

// The plot of a run, in pixels.
const (
	plotLeft   = 70
	plotRight  = svgWidth - 30
	plotTop    = 110
	plotBottom = 460
	rowHeight  = 20
)

// series is one curve of the picture of a run.
type series struct {
	phase *Phase
	of    string // what the latency is of, see Phase.latency
	shown *Percentiles
}

// class returns the style of series i, which begins with prefix.
func class(prefix string, i int) string { return fmt.Sprintf("%s%d", prefix, i%svgColors) }

// writePicture writes an SVG with the distribution of the latency of each phase: the part of the samples across, in equal steps for
// factors of ten (50 %, 90 %, 99 %, 99.9 % …), the latency upwards. A phase without a latency has no curve.
func (r *Report) writePicture(w io.Writer) error {
	var all []series
	for _, p := range r.Phases {
		if of, shown := p.latency(); shown != nil && shown.curve.samples > 0 {
			all = append(all, series{p, of, shown})
		}
	}
	s := &svg{}
	title := "Latency of " + clip(r.name(), 80)
	s.text(plotLeft, 32, "title", title)
	s.text(plotLeft, 56, "", clip(r.summary(), 130))
	s.text(plotLeft, 76, "pale", clip(r.Machine, 130))
	x, y := runScales(all)
	drawRunAxes(s, x, y)
	for i, one := range all {
		drawCurve(s, one.shown.curve, x, y, i)
	}
	if len(all) == 0 {
		s.text((plotLeft+plotRight)/2, (plotTop+plotBottom)/2, "middle", "no phase of this run measured a latency")
	}
	end := drawRunLegend(s, all, plotBottom+80)
	return s.writeTo(w, end, title, r.summary()+". "+describeRun(all))
}

// summary has the server, the load, the date and the result of the audit in one line.
func (r *Report) summary() string {
	violations := "no violation"
	if n := r.Total.violations(); n > 0 {
		violations = number(float64(n)) + " violations"
	}
	text := fmt.Sprintf("%s subscribers, %s, audit: %s", short(float64(r.Subscribers)), r.Started.UTC().Format("2006-01-02 15:04 UTC"), violations)
	if r.Label != "" {
		text = r.URL + ", " + text
	}
	return text
}

// runScales returns the scales for all curves: rarities across, milliseconds upwards.
func runScales(all []series) (x, y logScale) {
	rarest, low, high := 100.0, math.Inf(1), 0.0
	for _, one := range all {
		points := one.shown.curve.points
		rarest = max(rarest, points[len(points)-1].rarity)
		low, high = min(low, points[0].ms), max(high, points[len(points)-1].ms)
	}
	if len(all) == 0 {
		low, high = 1, 100
	}
	return logScale{1, bounded(rarest), plotLeft, plotRight}, newLogScale(low, high, plotBottom, plotTop)
}

func drawRunAxes(s *svg, x, y logScale) {
	for _, ms := range y.ticks(rowHeight) {
		at := y.at(ms)
		s.line(plotLeft, at, plotRight, at, "grid")
		s.text(plotLeft-8, at+4, "pale end", short(ms))
	}
	for _, rarity := range append([]float64{2}, x.ticks(60)...) {
		if rarity == 2 || math.Abs(math.Log10(rarity)-math.Round(math.Log10(rarity))) < 1e-9 {
			at := x.at(rarity)
			s.line(at, plotTop, at, plotBottom, "grid")
			s.text(at, plotBottom+18, "pale middle", percent(rarity))
		}
	}
	s.line(plotLeft, plotBottom, plotRight, plotBottom, "axis")
	s.line(plotLeft, plotTop, plotLeft, plotBottom, "axis")
	s.upward(22, (plotTop+plotBottom)/2, "middle", "latency, ms (log scale)")
	s.text((plotLeft+plotRight)/2, plotBottom+42, "middle", "percent p of the samples that took no longer (log scale of 100 − p)")
}

// percent returns the percentile of a rarity that is 2 or a power of ten.
func percent(rarity float64) string {
	decimals := max(0, int(math.Round(math.Log10(rarity)))-2)
	return fmt.Sprintf("%.*f", decimals, 100*(1-1/rarity))
}

// drawCurve draws the distribution of series i, and a dot at its maximum.
func drawCurve(s *svg, c curve, x, y logScale, i int) {
	var points [][2]float64
	for _, q := range c.points {
		points = append(points, [2]float64{x.at(q.rarity), y.at(q.ms)})
	}
	s.path(points, "series "+class("c", i))
	last := points[len(points)-1]
	s.dot(last[0], last[1], class("f", i))
}

// legendColumns are the right ends of the figures in the legend of a run.
var legendColumns = []struct {
	name string
	end  float64
}{{"samples", 600}, {"p50, ms", 690}, {"p99, ms", 780}, {"max (dot), ms", 900}}

// drawRunLegend draws a row for each series below y and returns where the picture ends.
func drawRunLegend(s *svg, all []series, y float64) float64 {
	if len(all) == 0 {
		return y
	}
	s.text(plotLeft+50, y, "head", "phase: what the latency is of")
	for _, column := range legendColumns {
		s.text(column.end, y, "head end", column.name)
	}
	for i, one := range all {
		y += rowHeight
		s.line(plotLeft, y-4, plotLeft+40, y-4, "series "+class("c", i))
		s.text(plotLeft+50, y, "", one.name())
		for k, v := range []float64{float64(one.shown.curve.samples), one.shown.P50, one.shown.P99, one.shown.Max} {
			s.text(legendColumns[k].end, y, "end", short(v))
		}
	}
	return y + rowHeight
}

// name tells series apart whose phases have the same name.
func (one series) name() string {
	what := map[string]string{
		latencyOfDelivery: "from due time to delivery", latencyOfJoin: "from connecting to ready", latencyOfResponse: "from post to response",
	}[one.of]
	return fmt.Sprintf("%s, %s connected: %s", one.phase.Name, short(float64(one.phase.Subscribers)), what)
}

// describeRun has the curves in words.
func describeRun(all []series) string {
	text := ""
	for _, one := range all {
		text += fmt.Sprintf("%s: p50 %s ms, p99 %s ms, at most %s ms. ", one.name(), short(one.shown.P50), short(one.shown.P99), short(one.shown.Max))
	}
	return text
}
