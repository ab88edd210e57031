package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// writeTable prints one line for each phase.
func (r *Report) writeTable(w io.Writer) error {
	fmt.Fprintf(w, "%s: %d subscribers, %d events at %g/s, %d publishers\n%s\n\n", r.name(), r.Subscribers, r.Events, r.Rate, r.Publishers, r.Machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "phase\tsubs\ts\tposts/s\tdeliv./s\tlatency of\tp50 ms\tp90\tp99\tp99.9\tmax\tserver µs/deliv.\tserver CPU\tgen. CPU\tserver MB\tB/sub\tlost\trepeated\tdropped\t")
	for _, p := range r.Phases {
		fmt.Fprintln(t, p.row())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if r.Total.Disordered+r.Total.Busy+r.Total.Failed+r.Total.Unexpected > 0 {
		fmt.Fprintf(w, "subscribers with another order: %d, busy: %d, failed connections: %d, unexpected events: %d\n", r.Total.Disordered, r.Total.Busy, r.Total.Failed, r.Total.Unexpected)
	}
	if refused, unknown := r.postProblems(); refused+unknown > 0 {
		fmt.Fprintf(w, "posts refused: %d, with an unknown outcome: %d\n", refused, unknown)
	}
	if r.Problem != "" {
		fmt.Fprintf(w, "latest problem: %s\n", r.Problem)
	}
	return nil
}

// postProblems returns how many posts of all phases were refused, and how many have an unknown outcome.
func (r *Report) postProblems() (refused, unknown int) {
	for _, p := range r.Phases {
		refused += p.Refused
		unknown += p.UnknownOutcomes
	}
	return refused, unknown
}

func (p *Phase) row() string {
	cells := []string{p.Name, fmt.Sprint(p.Subscribers), fmt.Sprintf("%.2f", p.Seconds), number(p.PostsRate), number(p.DeliveriesRate)}
	cells = append(cells, p.latencyCells()...)
	cells = append(cells, p.usageCells()...)
	cells = append(cells, number(p.BytesSubscriber))
	for _, n := range []int64{p.Audit.Lost, p.Audit.Repeated, p.Audit.Dropped} {
		cells = append(cells, fmt.Sprint(n))
	}
	return strings.Join(cells, "\t") + "\t"
}

func (p *Phase) latencyCells() []string {
	of, shown := p.latency()
	if shown == nil {
		return []string{"-", "-", "-", "-", "-", "-"}
	}
	cells := []string{of}
	for _, ms := range []float64{shown.P50, shown.P90, shown.P99, shown.P999, shown.Max} {
		cells = append(cells, fmt.Sprintf("%.1f", ms))
	}
	return cells
}

func (p *Phase) usageCells() []string {
	cells := []string{"-", "-", "-", "-"}
	if p.Generator != nil {
		cells[2] = fmt.Sprintf("%.0f %%", 100*p.Generator.CPUShare)
	}
	if p.Server != nil {
		if p.Server.MicrosPerUnit > 0 {
			cells[0] = fmt.Sprintf("%.2f", p.Server.MicrosPerUnit)
		}
		cells[1] = fmt.Sprintf("%.0f %%", 100*p.Server.CPUShare)
		cells[3] = fmt.Sprintf("%.1f", float64(p.Server.ResidentBytes)/1e6)
	}
	return cells
}

// number formats a rounded value with commas between thousands, and 0 as a dash.
func number(f float64) string {
	if f == 0 {
		return "-"
	}
	s := fmt.Sprintf("%.0f", f)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
