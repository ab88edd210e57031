package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is the result of one run. Users keep reports and compare them with those of later versions,
// so the names in the JSON must not change.
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
	Problem     string    `json:"problem,omitempty"` // description of the latest error
}

// Phase is the result of one phase. Figures that do not apply are zero.
type Phase struct {
	Name            string       `json:"name"`
	Subscribers     int          `json:"subscribers"`
	Seconds         float64      `json:"seconds"`
	Posts           int          `json:"posts,omitempty"`
	Refused         int          `json:"posts_refused,omitempty"`
	UnknownOutcomes int          `json:"posts_unknown_outcome,omitempty"`
	PostsRate       float64      `json:"posts_per_second,omitempty"`
	DeliveriesRate  float64      `json:"deliveries_per_second,omitempty"`
	Reconnects      int          `json:"reconnects,omitempty"`
	FreedSeconds    float64      `json:"freed_seconds,omitempty"`
	BytesSubscriber float64      `json:"bytes_per_subscriber,omitempty"`
	Latency         *Percentiles `json:"latency_ms,omitempty"`  // from an event's due time to each subscriber
	Join            *Percentiles `json:"join_ms,omitempty"`     // from connect to the ready frame
	Response        *Percentiles `json:"response_ms,omitempty"` // from a post to its response
	Server          *Usage       `json:"server,omitempty"`
	Generator       *Usage       `json:"generator,omitempty"`
	Audit           audit        `json:"audit"`
}

// Percentiles has percentiles of a latency in milliseconds.
type Percentiles struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`

	curve curve // for the picture of the run; a report that was read has none
}

// orZero returns zeros for nil.
func (p *Percentiles) orZero() Percentiles {
	if p == nil {
		return Percentiles{}
	}
	return *p
}

// What a latency is of.
const (
	latencyOfDelivery = "delivery"
	latencyOfJoin     = "join"
	latencyOfResponse = "response"
)

// latency returns the latency that says most about the phase and what it is of, or nil if the phase has none.
func (p *Phase) latency() (of string, shown *Percentiles) {
	switch p.Name {
	case phaseConnect, phaseResume:
		return latencyOfJoin, p.Join
	case phasePosts:
		return latencyOfResponse, p.Response
	}
	return latencyOfDelivery, p.Latency
}

// percentiles converts a histogram of microseconds. It returns nil for an empty one.
func percentiles(h *hdrhistogram.Histogram) *Percentiles {
	if h.TotalCount() == 0 {
		return nil
	}
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e3 }
	return &Percentiles{at(50), at(90), at(99), at(99.9), float64(h.Max()) / 1e3, newCurve(h)}
}

// computeRates derives rates from the counts, the duration and the usage of the phase.
func (p *Phase) computeRates() {
	if p.Seconds > 0 {
		p.DeliveriesRate = float64(p.Audit.Delivered) / p.Seconds
		p.PostsRate = cmp.Or(p.PostsRate, float64(p.Posts)/p.Seconds)
	}
	if p.Server != nil && p.Subscribers > 1 && p.Audit.Delivered > 0 {
		p.Server.MicrosPerUnit = p.Server.CPUSeconds * 1e6 / float64(p.Audit.Delivered)
	}
}

// machine describes this machine: system, Go version, kernel and CPUs.
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

func (r *Report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// name returns the label, or the URL of a run without one.
func (r *Report) name() string {
	if r.Label != "" {
		return r.Label
	}
	return r.URL
}
