package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// The picture of a comparison, in pixels.
const (
	barsLeft  = 350
	barsRight = 660
	medianEnd = svgWidth - 30
	barHeight = 16
)

// bar is the median of one label for one figure.
type bar struct {
	first, median string  // of the first label and of this one, formatted; "-" for none
	ratio         float64 // of the two; 0 if it is not known
	class         string
}

// barRow has the bars of one figure at one number of subscribers.
type barRow struct {
	figure figure
	bars   []bar
}

// errOneLabel is returned for a picture of ratios without a second label.
var errOneLabel = errors.New("-compare -svg draws ratios between labels, and all reports have the same; add reports with another -label")

// writeComparison writes an SVG with the medians of each label as bars of their ratio to the first label, for each number of
// subscribers. There must be two labels or more.
func writeComparison(w io.Writer, groups []*group) error {
	names := labels(groups)
	s := &svg{}
	title := clip(strings.Join(names[1:], ", "), 50) + " compared with " + clip(names[0], 40)
	about := comparisonSummary(groups)
	s.text(30, 32, "title", title)
	s.text(30, 56, "", clip(about, 130))
	s.text(30, 76, "pale", clip(groups[0].reports[0].Machine, 130))
	y := drawLabels(s, groups, 104)
	scale := ratioScale(groups)
	for _, n := range subscriberCounts(groups) {
		y = drawPanel(s, barRows(groups, n), n, scale, y+26)
	}
	s.text((barsLeft+barsRight)/2, y+14, "middle", "ratio to "+clip(names[0], 40)+" (log scale; 1 is equal)")
	return s.writeTo(w, y+34, title, about)
}

// comparisonSummary has the servers and dates of the reports.
func comparisonSummary(groups []*group) string {
	var urls, days []string
	for _, g := range groups {
		for _, r := range g.reports {
			urls = append(urls, r.URL)
			days = append(days, r.Started.UTC().Format("2006-01-02"))
		}
	}
	slices.Sort(urls)
	slices.Sort(days)
	when := days[0]
	if last := days[len(days)-1]; last != when {
		when += " to " + last
	}
	return "Medians of the runs of " + when + " against " + strings.Join(slices.Compact(urls), ", ")
}

// drawLabels draws the legend from y on, and returns its end.
func drawLabels(s *svg, groups []*group, y float64) float64 {
	for i, name := range labels(groups) {
		var runs int
		var violations int64
		for _, g := range groups {
			if g.label == name {
				runs += len(g.reports)
				violations += g.violations()
			}
		}
		if i > 0 {
			s.rect(30, y-11, 14, 12, class("f", i-1))
		}
		text := fmt.Sprintf("%s: runs %d, violations %d", clip(name, 80), runs, violations)
		if i == 0 {
			text += "; the bars are ratios to it"
		}
		s.text(52, y, "", text)
		y += rowHeight
	}
	return y
}

// violations returns the sum over the reports of the group.
func (g *group) violations() int64 {
	var n int64
	for _, r := range g.reports {
		n += r.Total.violations()
	}
	return n
}

// barRows returns the figures that the first label and at least one other have at a number of subscribers.
func barRows(groups []*group, subscribers int) []barRow {
	names := labels(groups)
	var rows []barRow
	for _, f := range figures {
		first, known := findGroup(groups, names[0], subscribers).median(f)
		if f.noRatio || !known {
			continue
		}
		row, any := barRow{figure: f}, false
		for i, name := range names[1:] {
			v, ok := findGroup(groups, name, subscribers).median(f)
			ratio := v / first
			if ok = ok && ratio > 0 && !math.IsInf(ratio, 0); !ok {
				ratio = 0
			}
			any = any || ok
			row.bars = append(row.bars, bar{medianText(f, first, true), medianText(f, v, ok), ratio, class("f", i)})
		}
		if any {
			rows = append(rows, row)
		}
	}
	return rows
}

// ratioScale returns one scale for all panels, so that bars of different panels compare.
func ratioScale(groups []*group) logScale {
	low, high := 0.5, 2.0
	for _, n := range subscriberCounts(groups) {
		for _, row := range barRows(groups, n) {
			for _, b := range row.bars {
				if b.ratio > 0 {
					low, high = min(low, b.ratio), max(high, b.ratio)
				}
			}
		}
	}
	return newLogScale(low, high, barsLeft, barsRight)
}

// drawPanel draws the figures at one number of subscribers from y on, and returns the end of its axis.
func drawPanel(s *svg, rows []barRow, subscribers int, scale logScale, y float64) float64 {
	s.text(30, y, "head", short(float64(subscribers))+" subscribers")
	if len(rows) == 0 {
		s.text(barsLeft, y, "pale", "no figure is in the reports of both")
		return y + rowHeight
	}
	s.text(barsRight+75, y, "head end", "ratio")
	s.text(medianEnd, y, "head end", "medians")
	y += 10
	bottom := y
	for _, row := range rows {
		bottom += row.height()
	}
	for _, ratio := range scale.ticks(40) {
		s.line(scale.at(ratio), y, scale.at(ratio), bottom, "grid")
		s.text(scale.at(ratio), bottom+16, "pale middle", short(ratio))
	}
	for _, row := range rows {
		drawBars(s, row, scale, y)
		y += row.height()
	}
	s.line(scale.at(1), y, scale.at(1), y-rowsHeight(rows), "axis")
	return bottom + 26
}

// height is at least that of a line of text.
func (row barRow) height() float64 { return float64(len(row.bars))*barHeight + 10 }

func rowsHeight(rows []barRow) float64 {
	var sum float64
	for _, row := range rows {
		sum += row.height()
	}
	return sum
}

// drawBars draws one figure from y on: its name, and for each label a bar from 1 to its ratio, the ratio and both medians.
func drawBars(s *svg, row barRow, scale logScale, y float64) {
	better := "less is better"
	if row.figure.moreIsBetter {
		better = "more is better"
	}
	s.text(30, y+17, "", row.figure.name)
	s.text(barsLeft-12, y+17, "pale end", better)
	for i, b := range row.bars {
		top := y + 5 + float64(i)*barHeight
		ratio := "-"
		if b.ratio > 0 {
			from, to := scale.at(min(1, b.ratio)), scale.at(max(1, b.ratio))
			s.rect(from, top+1, max(1, to-from), barHeight-2, b.class)
			ratio = ratioText(b.ratio)
		}
		s.text(barsRight+75, top+12, "end", ratio)
		s.text(medianEnd, top+12, "end", b.first+" → "+b.median)
	}
}

// medianText formats a median as in the table, a large one with commas between thousands.
func medianText(f figure, v float64, ok bool) string {
	if ok && v >= 1000 {
		return short(v)
	}
	return cell(f.format, v, ok)
}

// ratioText has two decimals for usual ratios, as in the table.
func ratioText(ratio float64) string {
	if ratio < 0.1 || ratio >= 100 {
		return short(ratio)
	}
	return fmt.Sprintf("%.2f", ratio)
}
