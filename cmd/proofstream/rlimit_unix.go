//go:build unix

package main

import "syscall"

// descriptorLimit returns the number of files that this process may have open; 0 is unknown. The Go runtime raises the
// soft limit to the hard one at start.
func descriptorLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur)
}
