//go:build unix

package main

import "syscall"

// crash makes the runtime print the stacks of all goroutines and exit.
func (p *program) crash() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) }
