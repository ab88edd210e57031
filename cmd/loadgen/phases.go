package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

// drive lets the swarm work until the condition holds; it is false when the time ran out or the
// run was interrupted.
func (r *runner) drive(limit time.Duration, until func() bool) (bool, error) {
	for end := clock() + int64(limit); !until(); {
		if clock() > end || r.ctx.Err() != nil {
			return false, nil
		}
		if err := r.swarm.poll(5 * time.Millisecond); err != nil {
			return false, fmt.Errorf("wait for subscribers' sockets: %w", err)
		}
		r.progress.tick(r)
	}
	return true, nil
}

// publish drives the swarm while posts are made, then until everybody has all of them.
func (r *runner) publish(p *Phase, posts func() error, meanwhile func()) error {
	for _, l := range r.lanes {
		l.poster.close() // the server may be about to end a connection that has idled
		if err := l.poster.connect(); err != nil {
			return err
		}
	}
	done := make(chan error, 1)
	go func() { done <- posts() }()
	var postErr error
	for finished := false; !finished; {
		select {
		case postErr = <-done:
			finished = true
		default:
			if err := r.swarm.poll(5 * time.Millisecond); err != nil {
				return fmt.Errorf("wait for subscribers' sockets: %w", err)
			}
			meanwhile()
			r.progress.tick(r)
		}
	}
	if postErr != nil {
		return postErr
	}
	_, err := r.drive(r.o.wait, func() bool { return r.swarm.caughtUp(p.Subscribers) })
	return err
}

func nothing() {}

func (r *runner) connect(p *Phase) error {
	r.swarm.leave(r.connected)
	r.connected = len(r.swarm.subs)
	p.Subscribers = r.connected
	start := clock()
	r.swarm.join(r.connected)
	_, err := r.drive(r.o.wait, func() bool { return r.swarm.live == r.connected })
	p.Seconds = seconds(start, r.swarm.lastReady)
	before := r.meter.server.memory
	r.meter.stop(p)
	if err != nil {
		return err
	}
	return r.settle(p, before)
}

// settle waits, then reads the memory that idle subscribers take.
func (r *runner) settle(p *Phase, before int64) error {
	if _, err := r.drive(r.o.settle, func() bool { return false }); err != nil || p.Server == nil {
		return err
	}
	now, err := readUsage(r.o.pids)
	p.Server.ResidentBytes = now.memory
	if p.Subscribers > 0 {
		p.BytesSubscriber = float64(now.memory-before) / float64(p.Subscribers)
	}
	return err
}

func (r *runner) paced(p *Phase) error {
	start := clock()
	err := r.publish(p, func() error { return r.pacedPosts(r.o.events, r.o.rate) }, nothing)
	p.Seconds = seconds(start, r.swarm.lastEvent)
	return err
}

func (r *runner) burst(p *Phase) error {
	start := clock()
	err := r.publish(p, func() error { return r.burstPosts(r.o.burst) }, nothing)
	p.Seconds = seconds(start, r.swarm.lastEvent)
	return err
}

func (r *runner) posts(p *Phase) error {
	count, length := r.o.posts, r.o.wait
	if r.connected == 0 {
		count, length = 0, r.o.postsFor
		if err := r.witness(p); err != nil {
			return err
		}
		defer func() {
			r.swarm.closeBooks(1)
			r.swarm.leave(1)
		}()
	}
	start := clock()
	posted := r.posted()
	var end int64
	err := r.publish(p, func() error {
		defer func() { end = clock() }()
		return r.racingPosts(count, length)
	}, nothing)
	p.PostsRate = float64(r.posted()-posted) / seconds(start, end)
	p.Seconds = seconds(start, max(r.swarm.lastEvent, end))
	return err
}

// witness connects one subscriber, so that posts are audited also when nobody is connected.
func (r *runner) witness(p *Phase) error {
	p.Subscribers = 1
	r.swarm.join(1)
	_, err := r.drive(r.o.wait, func() bool { return r.swarm.live == 1 })
	r.meter = startMeter(r.o.pids)
	return err
}

func (r *runner) resume(p *Phase) error {
	r.swarm.leave(r.connected)
	if err := r.freed(p); err != nil {
		return err
	}
	missed := *p
	missed.Subscribers = 0
	if err := r.publish(&missed, func() error { return r.burstPosts(r.o.behind) }, nothing); err != nil {
		return err
	}
	r.meter = startMeter(r.o.pids)
	start := clock()
	r.swarm.rejoin(r.connected)
	_, err := r.drive(r.o.wait, func() bool { return r.swarm.live == r.connected && r.swarm.caughtUp(r.connected) })
	p.Seconds = seconds(start, max(r.swarm.lastReady, r.swarm.lastEvent))
	p.Reconnects = r.connected
	r.swarm.latency.Reset() // it holds the time that everybody was away
	return err
}

func (r *runner) churn(p *Phase) error {
	start := clock()
	reconnect := func() {
		due := int(float64(r.connected) * r.o.churn / 100 * seconds(start, clock()) / 60)
		for ; p.Reconnects < due; p.Reconnects++ {
			i := p.Reconnects * 7919 % r.connected // spread out, and each once before any twice
			r.swarm.close(i)
			r.swarm.queue = append(r.swarm.queue, i)
		}
	}
	events := max(1, int(r.o.churnFor.Seconds()*r.o.rate))
	err := r.publish(p, func() error { return r.pacedPosts(events, r.o.rate) }, reconnect)
	p.Seconds = seconds(start, r.swarm.lastEvent)
	return err
}

func (r *runner) drop(p *Phase) error {
	r.swarm.leave(r.connected)
	r.connected = 0
	if err := r.freed(p); err != nil {
		return err
	}
	p.Seconds = p.FreedSeconds
	r.meter.stop(p)
	return nil
}

// freed waits until the server says that nobody of the site is connected. A server without /stats
// is believed at once.
func (r *runner) freed(p *Phase) error {
	start := clock()
	_, err := r.drive(r.o.wait, func() bool {
		n, ok := r.subscribersSeen()
		return !ok || n == 0
	})
	p.FreedSeconds = seconds(start, clock())
	return err
}

func (r *runner) subscribersSeen() (n int, ok bool) {
	answer, err := r.client.Get(r.target.url.JoinPath("/stats").String() + "?site=" + url.QueryEscape(r.o.site))
	if err != nil {
		return 0, false
	}
	defer answer.Body.Close()
	var stats struct{ Subscribers int }
	err = json.NewDecoder(answer.Body).Decode(&stats)
	return stats.Subscribers, err == nil && answer.StatusCode == 200
}

func seconds(from, to int64) float64 { return float64(max(0, to-from)) / 1e9 }
