package main

import (
	"os/exec"
	"syscall"
)

// dieWithUs ends a child with the test process, however that ends. The kernel means the thread that started it: no test
// may let one end (a goroutine that ends while locked to its thread does).
func dieWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
