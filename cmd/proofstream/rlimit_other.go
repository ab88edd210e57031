//go:build !unix

package main

// descriptorLimit returns 0, unknown: this system has no such limit.
func descriptorLimit() uint64 { return 0 }
