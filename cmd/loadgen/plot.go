package main

import (
	"fmt"
	"html"
	"math"
	"os"
	"slices"
	"strings"
)

// plotFiles draws reports as one SVG: latency percentiles of the paced phase, and memory of an
// idle subscriber against their number. It follows the reader's light or dark preference.
func plotFiles(out string, files []string) error {
	groups, err := readGroups(files)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, []byte(plotSVG(groups)), 0o644); err != nil {
		return fmt.Errorf("write the plot: %w", err)
	}
	return nil
}

const plotStyle = `<style>
text{font:13px system-ui,sans-serif;fill:#24292f}
.t{font-weight:600;font-size:15px}.e{text-anchor:end}.m{text-anchor:middle}
.g{stroke:#8c959f;stroke-opacity:.35}
.l{fill:none;stroke-width:2.5;stroke-linejoin:round}
.s0{stroke:#57606a}.s1{stroke:#8250df}.s2{stroke:#0969da}.s3{stroke:#bc4c00}.s4{stroke:#1a7f37}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}
.s0{stroke:#9198a1}.s1{stroke:#bc8cff}.s2{stroke:#58a6ff}.s3{stroke:#f0883e}.s4{stroke:#3fb950}}
</style>`

// curve is one line of a panel; x runs from 0 to 1.
type curve struct {
	name   string
	series int
	x, y   []float64
}

// panel is one diagram of the picture.
type panel struct {
	left   int
	title  string
	ticks  []string  // below the axis
	at     []float64 // where they stand, from 0 to 1
	curves []curve
}

const (
	panelWidth, panelHeight = 360, 220
	panelTop                = 64
)

func plotSVG(groups []*group) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 930 %d" role="img" aria-label="Latency and memory, measured with loadgen">`, panelTop+panelHeight+72)
	b.WriteString(plotStyle)
	latencyPanel(groups).draw(&b)
	memoryPanel(groups).draw(&b)
	for i, name := range labels(groups) {
		y, x := panelTop+panelHeight+54, 56+i*170
		fmt.Fprintf(&b, `<path class="l s%d" d="M%d %dh24"/><text x="%d" y="%d">%s</text>`, i%5, x, y-4, x+32, y, html.EscapeString(name))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// latencyPanel shows the largest number of subscribers that every label was measured with.
func latencyPanel(groups []*group) panel {
	n := commonCount(groups)
	p := panel{
		left: 56, title: fmt.Sprintf("Post to browser, ms, %s subscribers", number(float64(n))),
		ticks: []string{"50 %", "90 %", "99 %", "99.9 %", "max"}, at: []float64{0, .25, .5, .75, 1},
	}
	picks := []func(*Percentiles) float64{p50, func(p *Percentiles) float64 { return p.P90 }, p99,
		func(p *Percentiles) float64 { return p.P999 }, func(p *Percentiles) float64 { return p.Max }}
	for i, name := range labels(groups) {
		c := curve{name: name, series: i}
		for k, pick := range picks {
			if v, ok := find(groups, name, n).median(in("paced", false, latencyAt(delivery, pick))); ok {
				c.x, c.y = append(c.x, p.at[k]), append(c.y, v)
			}
		}
		p.curves = append(p.curves, c)
	}
	return p
}

func commonCount(groups []*group) int {
	ns := counts(groups)
	for _, n := range slices.Backward(ns) {
		if !slices.ContainsFunc(labels(groups), func(name string) bool { return find(groups, name, n) == nil }) {
			return n
		}
	}
	return ns[len(ns)-1]
}

func memoryPanel(groups []*group) panel {
	ns := counts(groups)
	p := panel{left: 536, title: "Bytes per idle subscriber, by their number"}
	for _, n := range ns {
		p.ticks = append(p.ticks, number(float64(n)))
		p.at = append(p.at, float64(n)/float64(ns[len(ns)-1]))
	}
	for i, name := range labels(groups) {
		c := curve{name: name, series: i}
		for k, n := range ns {
			if v, ok := find(groups, name, n).median(in(phaseConnect, false, idleBytes)); ok {
				c.x, c.y = append(c.x, p.at[k]), append(c.y, v)
			}
		}
		p.curves = append(p.curves, c)
	}
	return p
}

func (p panel) draw(b *strings.Builder) {
	top := p.top()
	y := func(v float64) float64 { return panelTop + panelHeight*(1-v/top) }
	x := func(v float64) float64 { return float64(p.left) + v*panelWidth }
	fmt.Fprintf(b, `<text class="t" x="%d" y="28">%s</text>`, p.left-40, p.title)
	for k := range 5 {
		v := top * float64(k) / 4
		fmt.Fprintf(b, `<path class="g" d="M%d %.1fh%d"/><text class="e" x="%d" y="%.1f">%s</text>`, p.left, y(v), panelWidth, p.left-8, y(v)+4, axisNumber(v))
	}
	for k, tick := range p.ticks {
		fmt.Fprintf(b, `<text class="m" x="%.1f" y="%d">%s</text>`, x(p.at[k]), panelTop+panelHeight+22, tick)
	}
	for _, c := range p.curves {
		var points []string
		for k := range c.x {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(c.x[k]), y(c.y[k])))
			fmt.Fprintf(b, `<circle class="l s%d" cx="%.1f" cy="%.1f" r="3"><title>%s: %s</title></circle>`, c.series%5, x(c.x[k]), y(c.y[k]), html.EscapeString(c.name), axisNumber(c.y[k]))
		}
		fmt.Fprintf(b, `<polyline class="l s%d" points="%s"/>`, c.series%5, strings.Join(points, " "))
	}
}

// top is the end of the vertical axis: 1, 2, 4 or 8 times a power of ten, so that quarters read well.
func (p panel) top() float64 {
	most := 1.0
	for _, c := range p.curves {
		most = max(most, slices.Max(append(c.y, 0)))
	}
	unit := math.Pow(10, math.Floor(math.Log10(most)))
	for _, k := range []float64{1, 2, 4, 8} {
		if most <= k*unit {
			return k * unit
		}
	}
	return 10 * unit
}

func axisNumber(v float64) string {
	if v == 0 || v >= 10 {
		return strings.Replace(number(math.Round(v)), "-", "0", 1)
	}
	return fmt.Sprintf("%.1f", v)
}
