//go:build !unix

package main

// descriptorLimit is zero, unknown: this system has no such limit to ask for.
func descriptorLimit() uint64 { return 0 }
