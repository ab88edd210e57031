//go:build !linux

package main

import (
	"context"
	"errors"
	"io"
	"time"
)

// This file has what other systems lack, or do less precisely than Linux.

// sleepUntil returns at the given clock time, or at most 20 ms after done turns true.
func sleepUntil(at int64, done func() bool) {
	for left := at - clock(); left > 0 && !done(); left = at - clock() {
		time.Sleep(min(time.Duration(left), 20*time.Millisecond))
	}
}

// fitDescriptors does not know the limit of this system: it returns n and 0.
func fitDescriptors(n, _ int) (fits, limit int) { return n, 0 }

// newTransport returns a netTransport, which is enough for some thousand subscribers.
func newTransport(t *target, n int) (transport, error) { return newNetTransport(t, n), nil }

func processUsage(int) (usage, error) {
	return usage{}, errors.New("loadgen measures processes on Linux only")
}

func serveFloor(context.Context, string, io.Writer) error {
	return errors.New("-floor needs Linux (epoll); run it there")
}
