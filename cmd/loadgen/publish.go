package main

import (
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// pacedPosts posts at a fixed rate whatever the server does (an open loop): each event's latency
// counts from the time it was meant for, so a stall shows in every event it held up. An event goes
// to whichever lane is free.
func (r *runner) pacedPosts(events int, rate float64) error {
	due := make(chan int64, events)
	var lanes errgroup.Group
	for _, l := range r.lanes {
		lanes.Go(func() error {
			for at := range due {
				if err := l.publish(at); err != nil {
					return err
				}
			}
			return nil
		})
	}
	start := clock() + int64(20*time.Millisecond)
	for k := range events {
		at := start + int64(float64(k)*1e9/rate)
		sleepUntil(at, r.interrupted)
		if r.interrupted() {
			break
		}
		due <- at
	}
	close(due)
	return lanes.Wait()
}

// burstPosts posts back to back, each awaiting its answer.
func (r *runner) burstPosts(n int) error {
	for range n {
		if r.interrupted() {
			return nil
		}
		if err := r.lanes[0].publish(clock()); err != nil {
			return err
		}
	}
	return nil
}

// racingPosts posts from all lanes at once: n in all, or with n = 0 until the time is over.
func (r *runner) racingPosts(n int, length time.Duration) error {
	var taken atomic.Int64
	end := clock() + int64(length)
	var lanes errgroup.Group
	for _, l := range r.lanes {
		lanes.Go(func() error {
			for clock() < end && !r.interrupted() && (n == 0 || taken.Add(1) <= int64(n)) {
				if err := l.publish(clock()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return lanes.Wait()
}

func (r *runner) interrupted() bool { return r.ctx.Err() != nil }
