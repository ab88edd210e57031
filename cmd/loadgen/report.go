package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is the JSON of one run. Compare and plot read it back.
type Report struct {
	Tool        string    `json:"tool"` // always "loadgen"
	Label       string    `json:"label"`
	Started     time.Time `json:"started"`
	URL         string    `json:"url"`
	Machine     string    `json:"machine"`
	Subscribers int       `json:"subscribers"`
	Events      int       `json:"events"`
	Rate        float64   `json:"rate"`
	Publishers  int       `json:"publishers"`
	StartBytes  int64     `json:"server_resident_bytes_at_start,omitempty"`
	Phases      []*Phase  `json:"phases"`
	Total       audit     `json:"audit"`
	Problem     string    `json:"problem,omitempty"` // the latest thing that went wrong, in words
}

// Phase is what one phase showed. What does not apply is zero and left out.
type Phase struct {
	Name            string       `json:"name"`
	Subscribers     int          `json:"subscribers"`
	Seconds         float64      `json:"seconds"`
	Posts           int          `json:"posts,omitempty"`
	Refused         int          `json:"posts_refused,omitempty"`
	Unclear         int          `json:"posts_unclear,omitempty"`
	PostsRate       float64      `json:"posts_per_second,omitempty"`
	DeliveriesRate  float64      `json:"deliveries_per_second,omitempty"`
	Reconnects      int          `json:"reconnects,omitempty"`
	FreedSeconds    float64      `json:"freed_seconds,omitempty"`
	BytesSubscriber float64      `json:"bytes_per_subscriber,omitempty"`
	Latency         *Percentiles `json:"latency_ms,omitempty"` // from the intended post to each subscriber
	Join            *Percentiles `json:"join_ms,omitempty"`    // from connect to ready
	Answer          *Percentiles `json:"answer_ms,omitempty"`  // from post to its answer
	Server          *Usage       `json:"server,omitempty"`
	Generator       *Usage       `json:"generator,omitempty"`
	Audit           audit        `json:"audit"`
}

// Percentiles of a latency, in milliseconds.
type Percentiles struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

func percentiles(h *hdrhistogram.Histogram) *Percentiles {
	if h.TotalCount() == 0 {
		return nil
	}
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e3 }
	return &Percentiles{at(50), at(90), at(99), at(99.9), float64(h.Max()) / 1e3}
}

// machine names where a figure was measured.
func machine() string {
	name := fmt.Sprintf("%s/%s, %s", runtime.GOOS, runtime.GOARCH, runtime.Version())
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		name += ", Linux " + strings.TrimSpace(string(kernel))
	}
	cpus, _ := os.ReadFile("/proc/cpuinfo")
	if _, model, ok := strings.Cut(string(cpus), "model name"); ok {
		model, _, _ = strings.Cut(model, "\n")
		name += fmt.Sprintf(", %d × %s", strings.Count(string(cpus), "model name"), strings.Trim(model, "\t :"))
	}
	return name
}

// write gives the report to people on stdout and to programs in the file, or on stdout for "-".
func (r *Report) write(file string, stdout io.Writer) error {
	if file == "-" {
		return r.writeJSON(stdout)
	}
	if file != "" {
		f, err := os.Create(file)
		if err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		defer f.Close()
		if err := r.writeJSON(f); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	return r.writeTable(stdout)
}

func (r *Report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// writeTable prints the run for people.
func (r *Report) writeTable(w io.Writer) error {
	fmt.Fprintf(w, "%s: %d subscribers, %d events at %g/s, %d publishers\n%s\n\n", r.name(), r.Subscribers, r.Events, r.Rate, r.Publishers, r.Machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "phase\tsubs\ts\tposts/s\tdeliv./s\tp50 ms\tp90\tp99\tp99.9\tmax\tserver µs/deliv.\tserver CPU\tgen. CPU\tserver MB\tB/sub\tlost\trepeated\tdropped\t")
	for _, p := range r.Phases {
		fmt.Fprintln(t, p.row())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if r.Total.Disordered+r.Total.Shed+r.Total.Failed+r.Total.Foreign > 0 {
		fmt.Fprintf(w, "saw another order: %d, shed: %d, failed connections: %d, events not ours: %d\n", r.Total.Disordered, r.Total.Shed, r.Total.Failed, r.Total.Foreign)
	}
	if r.Problem != "" {
		fmt.Fprintf(w, "latest problem: %s\n", r.Problem)
	}
	return nil
}

func (r *Report) name() string {
	if r.Label != "" {
		return r.Label
	}
	return r.URL
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

// latencyCells shows what the phase is about: a post's way to the subscribers, else to its answer,
// else a subscriber's way in.
func (p *Phase) latencyCells() []string {
	shown := p.Latency
	if shown == nil || p.Name == phasePosts {
		shown = p.Answer
	}
	if shown == nil {
		shown = p.Join
	}
	if shown == nil {
		return []string{"-", "-", "-", "-", "-"}
	}
	var cells []string
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

// number prints a figure with thousands apart, or a dash for none.
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
