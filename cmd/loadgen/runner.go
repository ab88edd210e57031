package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// runner carries one run from phase to phase.
type runner struct {
	ctx       context.Context
	o         *options
	target    *target
	lanes     []*lane
	swarm     *swarm
	progress  *progress
	client    *http.Client // asks /stats, nothing that is timed
	connected int          // subscribers that are meant to be connected now
	meter     *meter       // of the phase that runs
	report    *Report
}

const (
	phaseConnect = "connect"
	phasePosts   = "posts"
)

// phases is what -phases chooses from.
var phases = map[string]func(*runner, *Phase) error{
	phaseConnect: (*runner).connect,
	"paced":      (*runner).paced,
	"burst":      (*runner).burst,
	phasePosts:   (*runner).posts,
	"resume":     (*runner).resume,
	"churn":      (*runner).churn,
	"drop":       (*runner).drop,
}

func phaseNames() []string { return slices.Sorted(maps.Keys(phases)) }

func newRunner(ctx context.Context, t *target, o *options, p *progress) (*runner, error) {
	const reserve = 40 // standard streams, epoll, files, /stats
	fits, limit := fitDescriptors(o.subscribers, reserve+o.publishers)
	if fits < o.subscribers {
		p.note("only %d of %d subscribers: this process may open %d descriptors; raise it with ulimit -n, or run several generators", fits, o.subscribers, limit)
	}
	m := newMarker()
	lanes := make([]*lane, o.publishers)
	for i := range lanes {
		lanes[i] = newLane(i, t, o.key, m)
	}
	s, err := newSwarm(t, o.site, fits, m, lanes)
	if err != nil {
		return nil, err
	}
	return &runner{
		ctx: ctx, o: o, target: t, lanes: lanes, swarm: s, progress: p, client: t.client(),
		report: &Report{
			Tool: "loadgen", Label: o.label, Started: time.Now(), URL: o.url, Machine: machine(),
			Subscribers: fits, Events: o.events, Rate: o.rate, Publishers: o.publishers,
		},
	}, nil
}

// run goes through the phases and returns what they showed, also when one of them fails.
func (r *runner) run() (*Report, error) {
	defer r.close()
	if len(r.o.pids) > 0 {
		start, err := readUsage(r.o.pids)
		if err != nil {
			return r.report, err
		}
		r.report.StartBytes = start.memory
	}
	for _, name := range r.o.phases {
		if err := r.phase(name); err != nil {
			return r.report, fmt.Errorf("phase %s: %w", name, err)
		}
		if r.ctx.Err() != nil {
			return r.report, r.ctx.Err()
		}
	}
	return r.report, nil
}

func (r *runner) close() {
	r.swarm.wire.release()
	for _, l := range r.lanes {
		l.poster.close()
	}
	r.client.CloseIdleConnections()
}

// phase runs one phase and enters what is measured the same way in all of them.
func (r *runner) phase(name string) error {
	p := &Phase{Name: name, Subscribers: r.connected}
	before := r.swarm.counts
	r.swarm.latency.Reset()
	r.swarm.joins.Reset()
	posted := r.resetLanes()
	r.meter = startMeter(r.o.pids)
	r.progress.begin(name)
	err := phases[name](r, p)
	r.meter.stop(p)
	r.swarm.closeBooks(p.Subscribers)
	p.Audit = r.swarm.counts.since(before)
	p.Answer = percentiles(r.collectLanes(p, posted))
	p.Latency, p.Join = percentiles(r.swarm.latency), percentiles(r.swarm.joins)
	if p.Seconds > 0 {
		p.DeliveriesRate = float64(p.Audit.Delivered) / p.Seconds
		p.PostsRate = cmp.Or(p.PostsRate, float64(p.Posts)/p.Seconds)
	}
	if p.Server != nil && p.Subscribers > 1 && p.Audit.Delivered > 0 {
		p.Server.MicrosPerUnit = p.Server.CPUSeconds * 1e6 / float64(p.Audit.Delivered)
	}
	r.report.Phases = append(r.report.Phases, p)
	r.report.Total = r.swarm.counts
	r.progress.end(p)
	return err
}

// posted returns how many posts all lanes have had stored, as far as is known.
func (r *runner) posted() int {
	n := 0
	for _, l := range r.lanes {
		n += int(l.posted.Load()) - len(l.doubt)
	}
	return n
}

func (r *runner) resetLanes() (posted int) {
	for _, l := range r.lanes {
		l.answers.Reset()
		l.refused, l.unclear = 0, 0
	}
	return r.posted()
}

// collectLanes enters what became of the posts and returns how long their answers took.
func (r *runner) collectLanes(p *Phase, before int) *hdrhistogram.Histogram {
	answers := newLatencies()
	for _, l := range r.lanes {
		answers.Merge(l.answers)
		p.Refused += l.refused
		p.Unclear += l.unclear
		r.report.Problem = cmp.Or(l.problem, r.report.Problem)
	}
	p.Posts = r.posted() - before
	r.report.Problem = cmp.Or(r.swarm.problem, r.report.Problem)
	return answers
}
