package api

import (
	"context"
	"net/http"
	"net/http/pprof"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"proofstream/stream/registry"
)

// Build is the version of the program, for metrics.
type Build struct {
	Version  string // such as v1.2.3
	Revision string // of the source; empty when unknown
}

// metrics collects the service's metrics. What the registry and the log count is read from their snapshots at each scrape;
// only what package api alone knows is counted here. Label values are bounded: sites and hooks are those configured, all others are
// constants of this package or of stream.
type metrics struct {
	server    *Server
	all       *prometheus.Registry
	signups   *prometheus.CounterVec
	hooks     *prometheus.CounterVec
	append    prometheus.Histogram
	overLimit atomic.Uint64 // streams refused because of the limit per address
}

// noSite is the label of a request that was refused before its key was found. No site can have this name.
const noSite = "_unknown"

func newMetrics(s *Server) *metrics {
	m := &metrics{
		server: s,
		all:    prometheus.NewRegistry(),
		signups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "proofstream_signups_total", Help: "Requests to post or retract a signup, by outcome.",
		}, []string{"site", "outcome"}),
		hooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "proofstream_hooks_total", Help: "Deliveries of webhooks, by outcome.",
		}, []string{"hook", "outcome"}),
		append: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "proofstream_log_append_seconds", Help: "Time until the log acknowledged a signup, or did not.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
	for _, outcome := range outcomes { // so that a rate sees the first increase
		for name := range s.sites {
			m.signups.WithLabelValues(name, outcome)
		}
		m.signups.WithLabelValues(noSite, outcome)
	}
	for _, outcome := range hookOutcomes {
		for name := range s.hooks {
			m.hooks.WithLabelValues(name, outcome)
		}
		m.hooks.WithLabelValues(noHook, outcome)
	}
	m.all.MustRegister(m, m.signups, m.hooks, m.append, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(s.o.Build))
	return m
}

func buildInfo(b Build) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "proofstream_build_info", Help: "Always 1; the labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "go": runtime.Version()},
	})
	g.Set(1)
	return g
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("proofstream_"+name, help, labels, nil)
}

var (
	descSubscribers = desc("subscribers", "Open streams.", "site")
	descLimit       = desc("subscribers_limit", "Streams beyond which new ones get busy.")
	descKept        = desc("events_kept", "Signups kept in the log.", "site")
	descEnded       = desc("streams_ended_total", "Streams that ended, and streams refused because the limit was reached, by reason.", "reason")
	descResumes     = desc("resumes_total", "Streams opened, by what became of the cursor that they gave.", "result")
	descFrames      = desc("frames_sent_total", "Frames written to subscribers: events, ready, busy and heartbeats.")
	descBytes       = desc("bytes_sent_total", "Bytes of those frames.")
	descCatchUps    = desc("catchups_total", "Times that a full channel made a subscriber catch up from memory or the log.")
	descPages       = desc("log_pages_read_total", "Pages of the log that subscribers read to catch up.")
	descOverruns    = desc("log_overruns_total", "Times that retention removed events before fan-out sent them.")
	descLag         = desc("log_lag_events", "Events in the log that fan-out has not sent yet.")
	descDamage      = desc("log_damage", "Faults found in the log's files since this process opened them; 0 is good.")
	descReady       = desc("ready", "1 when posts and new streams are served, as /ready reports.")

	descriptions = []*prometheus.Desc{descSubscribers, descLimit, descKept, descEnded, descResumes, descFrames, descBytes,
		descCatchUps, descPages, descOverruns, descLag, descDamage, descReady}
)

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		ch <- d
	}
}

// Collect implements prometheus.Collector with one snapshot.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	st := m.server.o.Registry.Stats()
	for name := range m.server.sites { // also those without a visitor yet
		st.Subscribers[name] += 0
	}
	for site, n := range st.Subscribers {
		gauge(descSubscribers, float64(n), site)
	}
	for site, n := range m.kept() {
		gauge(descKept, float64(n), site)
	}
	st.Ended[string(registry.Full)] += m.overLimit.Load()
	for reason, n := range st.Ended {
		counter(descEnded, n, reason)
	}
	for result, n := range st.Resumes {
		counter(descResumes, n, result)
	}
	counter(descFrames, st.Frames)
	counter(descBytes, st.Bytes)
	counter(descCatchUps, st.CatchUps)
	counter(descPages, st.Pages)
	counter(descOverruns, st.Overruns)
	gauge(descLag, float64(st.Lag))
	gauge(descLimit, float64(m.server.o.MaxSubscribers))
	if m.server.o.Damage != nil {
		gauge(descDamage, float64(m.server.o.Damage()))
	}
	ready := 0.0
	if m.server.notReady() == "" {
		ready = 1
	}
	gauge(descReady, ready)
}

// keptWithin bounds how long a scrape reads the log, for all sites together.
const keptWithin = 2 * time.Second

// keptAtOnce is how many sites a scrape reads at the same time.
const keptAtOnce = 8

// kept returns how many signups of each site the log keeps. A site whose log does not return in time is left out.
func (m *metrics) kept() map[string]int {
	ctx, cancel := context.WithTimeout(context.Background(), keptWithin)
	defer cancel()
	var (
		reading sync.WaitGroup
		mu      sync.Mutex // guards kept
		kept    = make(map[string]int)
	)
	sites := make(chan string)
	for range min(keptAtOnce, len(m.server.sites)) {
		reading.Go(func() {
			for site := range sites {
				if _, n, err := m.server.o.Registry.Numbers(ctx, site); err == nil {
					mu.Lock()
					kept[site] = n
					mu.Unlock()
				}
			}
		})
	}
	for site := range m.server.sites {
		sites <- site
	}
	close(sites)
	reading.Wait()
	return kept
}

// Ops returns a handler for operators: /metrics in Prometheus' text format, and /debug/pprof/. It belongs on an address that
// strangers cannot reach.
func (s *Server) Ops() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.all, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
