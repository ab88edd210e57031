package e2e

import (
	"os/exec"
	"syscall"
)

// DieWithUs ends a child with the test process, however that ends. The kernel means the thread that started it: no test
// may let one end (a goroutine that ends while locked to its thread does).
func DieWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
