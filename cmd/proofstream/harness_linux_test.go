package main

import (
	"os/exec"
	"syscall"
)

// dieWithUs ends a child with the test process, however that ends.
func dieWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
