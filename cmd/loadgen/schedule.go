package main

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// publish polls the pool while posts runs, then until the first n subscribers have caught up, at
// most for -wait. It calls meanwhile, unless nil, after each poll.
func (r *runner) publish(ctx context.Context, n int, posts func() error, meanwhile func()) error {
	for _, p := range r.publishers {
		p.poster.close() // the server may be about to close an idle connection
		if err := p.poster.connect(); err != nil {
			return err
		}
	}
	done := make(chan error, 1)
	go func() { done <- posts() }()
	for {
		select {
		case err := <-done:
			if err != nil {
				return err
			}
			return r.pollUntil(ctx, r.o.wait, func() bool { return r.pool.caughtUp(n) })
		default:
		}
		if err := r.poll(); err != nil {
			return err
		}
		if meanwhile != nil {
			meanwhile()
		}
	}
}

// pacedPosts posts at a fixed rate per second whatever the server does (open loop). An event's
// latency counts from the time it was due, so a stall shows in every event that it delays. An event
// goes to any idle publisher.
func (r *runner) pacedPosts(ctx context.Context, events int, rate float64) error {
	due := make(chan int64, events)
	var group errgroup.Group
	for _, p := range r.publishers {
		group.Go(func() error {
			for at := range due {
				if err := p.publish(at); err != nil {
					return err
				}
			}
			return nil
		})
	}
	interrupted := func() bool { return ctx.Err() != nil }
	start := clock() + int64(20*time.Millisecond)
	for k := range events {
		at := start + int64(float64(k)*1e9/rate)
		sleepUntil(at, interrupted)
		if interrupted() {
			break
		}
		due <- at
	}
	close(due)
	return group.Wait()
}

// burstPosts posts n events from one publisher without a delay (closed loop).
func (r *runner) burstPosts(ctx context.Context, n int) error {
	for range n {
		if ctx.Err() != nil {
			return nil
		}
		if err := r.publishers[0].publish(clock()); err != nil {
			return err
		}
	}
	return nil
}

// concurrentPosts posts from all publishers without a delay (closed loop), for at most the given
// length and, unless n is 0, at most n events.
func (r *runner) concurrentPosts(ctx context.Context, n int, length time.Duration) error {
	var taken atomic.Int64
	end := clock() + int64(length)
	var group errgroup.Group
	for _, p := range r.publishers {
		group.Go(func() error {
			for clock() < end && ctx.Err() == nil && (n == 0 || taken.Add(1) <= int64(n)) {
				if err := p.publish(clock()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
