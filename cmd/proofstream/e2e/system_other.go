//go:build !unix

package e2e

import "testing"

// lock does nothing on this system: test packages that run at the same time may build the program twice.
func lock(string) (unlock func() error, err error) { return func() error { return nil }, nil }

// NeedDescriptors does nothing: this system has no limit of descriptors.
func NeedDescriptors(testing.TB, int) {}
