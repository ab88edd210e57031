package e2e

import (
	"os/exec"
	"syscall"
)

// DieWithUs makes the kernel kill a child process when the test process ends, however that ends. To the kernel the parent is the
// thread that started the child, so no test may end a thread: a goroutine that exits while locked to its thread does.
func DieWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
