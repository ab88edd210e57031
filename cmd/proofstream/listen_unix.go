//go:build unix

package main

import (
	"errors"
	"syscall"
)

// addressInUse reports whether an error is that of an address on which another program listens.
func addressInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
