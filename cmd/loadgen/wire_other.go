//go:build !linux

package main

import "time"

// newWire uses a goroutine per connection: enough for some thousand subscribers.
func newWire(t *target, n int) (wire, error) { return newNetWire(t, n), nil }

// sleepUntil returns when the clock shows at, or when done turns true.
func sleepUntil(at int64, done func() bool) {
	for left := at - clock(); left > 0 && !done(); left = at - clock() {
		time.Sleep(min(time.Duration(left), 20*time.Millisecond))
	}
}

// fitDescriptors trusts the system with n sockets.
func fitDescriptors(n, _ int) (fits, limit int) { return n, 0 }
