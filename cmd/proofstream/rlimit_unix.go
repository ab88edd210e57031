//go:build unix

package main

import "syscall"

// descriptorLimit is how many files this process may have open. The Go runtime has already raised the soft
// limit to the hard one. Zero is unknown.
func descriptorLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur)
}
