package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	phaseConnect = "connect" // the only phase that needs no key
	phaseResume  = "resume"
	phasePosts   = "posts" // its figures with all subscribers and with one are compared separately
)

// phases has the phases by their name in -phases. usageText explains them.
var phases = map[string]func(*runner, context.Context, *Phase) error{
	phaseConnect: (*runner).connect,
	"paced":      (*runner).paced,
	"burst":      (*runner).burst,
	phasePosts:   (*runner).posts,
	phaseResume:  (*runner).resume,
	"churn":      (*runner).churn,
	"drop":       (*runner).drop,
}

// phaseNames returns the names of all phases in alphabetical order.
func phaseNames() []string { return slices.Sorted(maps.Keys(phases)) }

// connect is the phase that connects all subscribers.
func (r *runner) connect(ctx context.Context, p *Phase) error {
	r.pool.leave(r.connected)
	r.connected = len(r.pool.subs)
	p.Subscribers = r.connected
	start := clock()
	r.pool.join(r.connected)
	err := r.pollUntil(ctx, r.o.wait, func() bool { return r.pool.ready() == r.connected })
	p.Seconds = seconds(start, r.pool.lastReady)
	before := r.meter.server.memory
	r.meter.stop(p)
	if err == nil && r.pool.ready() == 0 && ctx.Err() == nil {
		err = fmt.Errorf("%w within %s: %s", errNoSubscriber, r.o.wait, cmp.Or(r.pool.problem, "the server opens no stream"))
	}
	if err != nil {
		return err
	}
	return r.measureIdle(ctx, p, before)
}

// measureIdle waits for -idle-for, then reads the memory that idle subscribers take. before is the
// server's memory without them, in bytes.
func (r *runner) measureIdle(ctx context.Context, p *Phase, before int64) error {
	if err := r.pollUntil(ctx, r.o.idleFor, func() bool { return false }); err != nil || p.Server == nil {
		return err
	}
	now, err := readUsage(r.o.pids)
	p.Server.ResidentBytes = now.memory
	if p.Subscribers > 0 {
		p.BytesSubscriber = float64(now.memory-before) / float64(p.Subscribers)
	}
	return err
}

// paced is the phase that posts at a fixed rate.
func (r *runner) paced(ctx context.Context, p *Phase) error {
	start := clock()
	err := r.publish(ctx, p.Subscribers, func() error { return r.pacedPosts(ctx, r.o.events, r.o.rate) }, nil)
	p.Seconds = seconds(start, r.pool.lastEvent)
	return err
}

// burst is the phase in which one publisher posts as fast as it gets responses.
func (r *runner) burst(ctx context.Context, p *Phase) error {
	start := clock()
	err := r.publish(ctx, p.Subscribers, func() error { return r.burstPosts(ctx, r.o.burst) }, nil)
	p.Seconds = seconds(start, r.pool.lastEvent)
	return err
}

// posts is the phase in which all publishers post as fast as they get responses. Without subscribers it connects one.
func (r *runner) posts(ctx context.Context, p *Phase) error {
	count, length := r.o.posts, r.o.wait
	if r.connected == 0 {
		count, length = 0, r.o.postsFor
		if err := r.connectObserver(ctx, p); err != nil {
			return err
		}
		defer func() {
			r.finishAudit(ctx, 1)
			r.pool.leave(1)
		}()
	}
	start := clock()
	posted := r.posted()
	var end int64
	err := r.publish(ctx, p.Subscribers, func() error {
		defer func() { end = clock() }()
		return r.concurrentPosts(ctx, count, length)
	}, nil)
	p.PostsRate = float64(r.posted()-posted) / seconds(start, end)
	p.Seconds = seconds(start, max(r.pool.lastEvent, end))
	return err
}

// connectObserver connects one subscriber, to audit posts while no other is connected.
func (r *runner) connectObserver(ctx context.Context, p *Phase) error {
	p.Subscribers = 1
	r.pool.join(1)
	err := r.pollUntil(ctx, r.o.wait, func() bool { return r.pool.ready() == 1 })
	r.meter = startMeter(r.o.pids)
	return err
}

// resume is the phase that disconnects all subscribers, posts, and reconnects them with their last ids.
func (r *runner) resume(ctx context.Context, p *Phase) error {
	r.pool.leave(r.connected)
	if err := r.awaitDisconnects(ctx, p); err != nil {
		return err
	}
	if err := r.publish(ctx, 0, func() error { return r.burstPosts(ctx, r.o.missed) }, nil); err != nil {
		return err
	}
	r.meter = startMeter(r.o.pids)
	start := clock()
	r.pool.rejoin(r.connected)
	err := r.pollUntil(ctx, r.o.wait, func() bool { return r.pool.ready() == r.connected && r.pool.caughtUp(r.connected) })
	p.Seconds = seconds(start, max(r.pool.lastReady, r.pool.lastEvent))
	p.Reconnects = r.connected
	r.pool.latency.Reset() // it includes the time that subscribers were disconnected
	return err
}

// churn is the phase in which subscribers reconnect while events are posted at a fixed rate.
func (r *runner) churn(ctx context.Context, p *Phase) error {
	start := clock()
	reconnect := func() {
		due := int(float64(r.connected) * r.o.churn / 100 * seconds(start, clock()) / 60)
		for ; p.Reconnects < due; p.Reconnects++ {
			// Step by a prime: neighbours are spread, and each reconnects once before any does twice
			// (unless connected is a multiple of the prime).
			r.pool.reconnect(p.Reconnects * 7919 % r.connected)
		}
	}
	events := max(1, int(r.o.churnFor.Seconds()*r.o.rate))
	err := r.publish(ctx, p.Subscribers, func() error { return r.pacedPosts(ctx, events, r.o.rate) }, reconnect)
	p.Seconds = seconds(start, r.pool.lastEvent)
	return err
}

// drop is the phase that disconnects all subscribers.
func (r *runner) drop(ctx context.Context, p *Phase) error {
	r.pool.leave(r.connected)
	r.connected = 0
	if err := r.awaitDisconnects(ctx, p); err != nil {
		return err
	}
	p.Seconds = p.FreedSeconds
	r.meter.stop(p)
	return nil
}

// awaitDisconnects waits until /stats reports no subscriber of the site, at most for -wait. It does
// not wait for a server without /stats.
func (r *runner) awaitDisconnects(ctx context.Context, p *Phase) error {
	start := clock()
	err := r.pollUntil(ctx, r.o.wait, func() bool {
		n, ok := r.serverSubscribers(ctx)
		return !ok || n == 0
	})
	p.FreedSeconds = seconds(start, clock())
	return err
}

// serverSubscribers reads the number of subscribers of the site from /stats.
func (r *runner) serverSubscribers(ctx context.Context) (n int, ok bool) {
	address := r.target.url.JoinPath("/stats").String() + "?site=" + url.QueryEscape(r.o.site)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, false
	}
	response, err := r.client.Do(request)
	if err != nil {
		return 0, false
	}
	defer response.Body.Close()
	var stats struct{ Subscribers int }
	err = json.NewDecoder(response.Body).Decode(&stats)
	return stats.Subscribers, err == nil && response.StatusCode == http.StatusOK
}

// pollUntil polls the pool until done returns true, the limit has passed or ctx is done. The
// audit distinguishes the cases.
func (r *runner) pollUntil(ctx context.Context, limit time.Duration, done func() bool) error {
	for end := clock() + int64(limit); !done() && clock() <= end && ctx.Err() == nil; {
		if err := r.poll(); err != nil {
			return err
		}
	}
	return nil
}

// pollInterval is the longest time that one poll waits for sockets.
const pollInterval = 5 * time.Millisecond

func (r *runner) poll() error {
	err := r.pool.poll(pollInterval)
	r.progress.update(r)
	return err
}
