//go:build !linux

package e2e

import "os/exec"

// DieWithUs does nothing: only Linux has a parent-death signal.
func DieWithUs(*exec.Cmd) {}
