//go:build !linux

package main

import "time"

// sleepUntil returns at the given clock time, or at most 20 ms after done turns true.
func sleepUntil(at int64, done func() bool) {
	for left := at - clock(); left > 0 && !done(); left = at - clock() {
		time.Sleep(min(time.Duration(left), 20*time.Millisecond))
	}
}

// fitDescriptors does not know the limit of this system: it returns n and 0.
func fitDescriptors(n, _ int) (fits, limit int) { return n, 0 }
