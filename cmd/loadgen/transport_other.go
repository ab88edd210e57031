//go:build !linux

package main

// newTransport returns a netTransport, which is enough for some thousand subscribers.
func newTransport(t *target, n int) (transport, error) { return newNetTransport(t, n), nil }
