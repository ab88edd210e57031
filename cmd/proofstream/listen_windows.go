package main

import (
	"errors"

	"golang.org/x/sys/windows"
)

// addressInUse reports whether an error is that of an address on which another program listens.
func addressInUse(err error) bool { return errors.Is(err, windows.WSAEADDRINUSE) }
