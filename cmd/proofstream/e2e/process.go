package e2e

import (
	"os/exec"
	"testing"

	"proofstream/stream/waitfor"
)

// StartProcess starts a command and records its stdout and stderr in out. kill kills the process and waits for its end; so does
// the end of the test.
func StartProcess(t testing.TB, cmd *exec.Cmd) (out *waitfor.Output, kill func()) {
	t.Helper()
	out = &waitfor.Output{}
	cmd.Stdout, cmd.Stderr = out, out
	DieWithUs(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // it was killed: the error says nothing more
		out.End()
	}()
	kill = func() {
		_ = cmd.Process.Kill() // it may have ended
		<-exited
	}
	t.Cleanup(kill)
	return out, kill
}
