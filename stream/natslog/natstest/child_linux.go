package natstest

import (
	"os/exec"
	"syscall"
)

// endWithParent has the kernel kill a child when the thread that started it ends, at the latest with the test process, however that ends.
// No test may end a thread: a goroutine that returns while it is locked to its thread does.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
