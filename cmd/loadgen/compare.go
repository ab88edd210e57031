package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// row is one figure of a comparison.
type row struct {
	name   string
	format string
	figure func(*Report) (float64, bool)
	plain  bool // a ratio says nothing
}

func latencyAt(of func(*Phase) *Percentiles, at func(*Percentiles) float64) func(*Phase) float64 {
	return func(p *Phase) float64 {
		if of(p) == nil {
			return 0
		}
		return at(of(p))
	}
}

func delivery(p *Phase) *Percentiles { return p.Latency }
func answered(p *Phase) *Percentiles { return p.Answer }
func p50(p *Percentiles) float64     { return p.P50 }
func p99(p *Percentiles) float64     { return p.P99 }
func took(p *Phase) float64          { return p.Seconds }
func idleBytes(p *Phase) float64     { return p.BytesSubscriber }
func postsRate(p *Phase) float64     { return p.PostsRate }
func freedIn(p *Phase) float64       { return p.FreedSeconds }

func cpuPerDelivery(p *Phase) float64 {
	if p.Server == nil {
		return 0
	}
	return p.Server.MicrosPerUnit
}

func generatorShare(p *Phase) float64 { return 100 * p.Generator.CPUShare }

// rows is what a comparison shows, in its order.
var rows = []row{
	{name: "resident at start, MB", format: "%.1f", plain: true, figure: func(r *Report) (float64, bool) {
		return float64(r.StartBytes) / 1e6, r.StartBytes > 0
	}},
	{name: "bytes / idle subscriber", format: "%.0f", plain: true, figure: in(phaseConnect, false, idleBytes)},
	{name: "CPU µs / delivery, paced", format: "%.2f", figure: in("paced", false, cpuPerDelivery)},
	{name: "p50 paced, ms", format: "%.1f", figure: in("paced", false, latencyAt(delivery, p50))},
	{name: "p99 paced, ms", format: "%.1f", figure: in("paced", false, latencyAt(delivery, p99))},
	{name: "burst deliveries/s", format: "%.0f", figure: in("burst", false, func(p *Phase) float64 { return p.DeliveriesRate })},
	{name: "burst p99, ms", format: "%.1f", figure: in("burst", false, latencyAt(delivery, p99))},
	{name: "connected in, s", format: "%.2f", figure: in(phaseConnect, false, took)},
	{name: "posts/s, all connected", format: "%.0f", figure: in(phasePosts, false, postsRate)},
	{name: "posts/s, one connected", format: "%.0f", figure: in(phasePosts, true, postsRate)},
	{name: "answer p99, one connected, ms", format: "%.2f", figure: in(phasePosts, true, latencyAt(answered, p99))},
	{name: "resumed in, s", format: "%.2f", figure: in("resume", false, took)},
	{name: "p99 during churn, ms", format: "%.1f", figure: in("churn", false, latencyAt(delivery, p99))},
	{name: "all freed in, s", format: "%.2f", figure: in("drop", false, freedIn)},
	{name: "lost, repeated, dropped", format: "%.0f", plain: true, figure: func(r *Report) (float64, bool) {
		return float64(r.Total.flaws()), true
	}},
	{name: "generator CPU paced, %", format: "%.0f", plain: true, figure: in("paced", false, generatorShare)},
	{name: "generator CPU burst, %", format: "%.0f", plain: true, figure: in("burst", false, generatorShare)},
}

// compareFiles prints medians of reports side by side, with ratios to the first label, and how
// figures grow with the number of subscribers.
func compareFiles(w io.Writer, files []string) error {
	groups, err := readGroups(files)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, groups[0].reports[0].Machine)
	for _, n := range counts(groups) {
		if err := compareAt(w, groups, n); err != nil {
			return err
		}
	}
	return compareGrowth(w, groups)
}

func compareAt(w io.Writer, groups []*group, subscribers int) error {
	names := labels(groups)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\n%s subscribers\t", number(float64(subscribers)))
	for i, name := range names {
		runs := 0
		if g := find(groups, name, subscribers); g != nil {
			runs = len(g.reports)
		}
		fmt.Fprintf(t, "%s (of %d)\t", name, runs)
		if i > 0 {
			fmt.Fprint(t, "ratio\t")
		}
	}
	fmt.Fprintln(t)
	for _, r := range rows {
		first, known := find(groups, names[0], subscribers).median(r.figure)
		fmt.Fprintf(t, "%s\t", r.name)
		for i, name := range names {
			v, ok := find(groups, name, subscribers).median(r.figure)
			fmt.Fprintf(t, "%s\t", cell(r.format, v, ok))
			if i > 0 {
				fmt.Fprintf(t, "%s\t", cell("%.2f", v/first, ok && known && first != 0 && !r.plain))
			}
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

func cell(format string, v float64, ok bool) string {
	if !ok {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

// compareGrowth tells what a delivery and a subscriber cost at the largest number of subscribers
// against the smallest.
func compareGrowth(w io.Writer, groups []*group) error {
	ns := counts(groups)
	if len(ns) < 2 {
		return nil
	}
	least, most := ns[0], ns[len(ns)-1]
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\ngrowth\t%d\t%d\tchange\t\n", least, most)
	for _, name := range labels(groups) {
		for _, r := range rows[1:3] {
			a, okA := find(groups, name, least).median(r.figure)
			b, okB := find(groups, name, most).median(r.figure)
			fmt.Fprintf(t, "%s: %s\t%s\t%s\t%s\t\n", name, r.name, cell(r.format, a, okA), cell(r.format, b, okB),
				cell("%+.0f %%", 100*(b/a-1), okA && okB))
		}
	}
	return t.Flush()
}
