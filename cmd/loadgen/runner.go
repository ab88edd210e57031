package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// runner is one run. One goroutine uses it, except for publishers while runner.publish runs.
type runner struct {
	o          *options
	target     *target
	publishers []*publisher
	pool       *pool
	progress   *progress
	client     *http.Client // for GET /stats
	connected  int          // subscribers that should be connected now
	meter      *meter       // of the current phase
	report     *Report
}

// reserve is the number of descriptors for standard streams, epoll, files and /stats.
const reserve = 40

func newRunner(t *target, o *options, p *progress) (*runner, error) {
	fits, limit := fitDescriptors(o.subscribers, reserve+o.publishers)
	if fits < o.subscribers {
		p.printf("only %d of %d subscribers: this process may open %d descriptors; raise it with ulimit -n, or run several generators", fits, o.subscribers, limit)
	}
	c := newTagCodec()
	publishers := make([]*publisher, o.publishers)
	for i := range publishers {
		publishers[i] = newPublisher(i, t, o.key, c)
	}
	subscribers, err := newPool(t, o.site, fits, c, publishers)
	if err != nil {
		return nil, err
	}
	return &runner{
		o: o, target: t, publishers: publishers, pool: subscribers, progress: p, client: t.client(),
		report: &Report{
			Tool: "loadgen", Label: o.label, Started: time.Now(), URL: t.url.Redacted(), Machine: machine(),
			Subscribers: fits, Events: o.events, Rate: o.rate, Publishers: o.publishers,
		},
	}, nil
}

// run runs the phases. After an error the report has the phases up to the one that failed.
func (r *runner) run(ctx context.Context) (*Report, error) {
	defer r.close()
	if len(r.o.pids) > 0 {
		start, err := readUsage(r.o.pids)
		if err != nil {
			return r.report, err
		}
		r.report.StartBytes = start.memory
	}
	for _, name := range r.o.phases {
		if err := r.phase(ctx, name); err != nil {
			return r.report, fmt.Errorf("phase %s: %w", name, err)
		}
		if ctx.Err() != nil {
			return r.report, errInterrupted
		}
	}
	return r.report, nil
}

func (r *runner) close() {
	r.pool.transport.closeAll()
	for _, p := range r.publishers {
		p.poster.close()
	}
	r.client.CloseIdleConnections()
}

// phase runs one phase and adds it to the report.
func (r *runner) phase(ctx context.Context, name string) error {
	p := &Phase{Name: name, Subscribers: r.connected}
	before := r.pool.counts
	r.pool.latency.Reset()
	r.pool.joins.Reset()
	posted := r.resetPublishers()
	r.meter = startMeter(r.o.pids)
	r.progress.start(name, len(r.o.phases))
	err := phases[name](r, ctx, p)
	r.meter.stop(p)
	r.finishAudit(ctx, p.Subscribers)
	p.Audit = r.pool.counts.since(before)
	p.Response = percentiles(r.collectPublishers(p, posted))
	p.Latency, p.Join = percentiles(r.pool.latency), percentiles(r.pool.joins)
	p.computeRates()
	r.report.Phases = append(r.report.Phases, p)
	r.report.Total = r.pool.counts
	r.progress.finish(p)
	return err
}

// finishAudit finishes the audit of the first n subscribers for a phase, except after an interrupt: then events are still on their way.
func (r *runner) finishAudit(ctx context.Context, n int) {
	if ctx.Err() == nil {
		r.pool.finishAudit(n)
	}
}

// posted returns how many posts of all publishers are known to be stored.
func (r *runner) posted() int {
	n := 0
	for _, p := range r.publishers {
		n += p.stored(0, p.posted.Load())
	}
	return n
}

func (r *runner) resetPublishers() (posted int) {
	for _, p := range r.publishers {
		p.responses.Reset()
		p.refused, p.unknownOutcomes = 0, 0
	}
	return r.posted()
}

// collectPublishers adds the outcomes of the posts to phase and returns the latencies of responses.
// before is the value of posted at the start of the phase.
func (r *runner) collectPublishers(phase *Phase, before int) *hdrhistogram.Histogram {
	responses := newLatencies()
	for _, p := range r.publishers {
		responses.Merge(p.responses)
		phase.Refused += p.refused
		phase.UnknownOutcomes += p.unknownOutcomes
		r.report.Problem = cmp.Or(p.problem, r.report.Problem)
	}
	phase.Posts = r.posted() - before
	r.report.Problem = cmp.Or(r.pool.problem, r.report.Problem)
	return responses
}
