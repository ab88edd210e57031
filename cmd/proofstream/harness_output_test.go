package main

import (
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// output keeps what a process writes, and lets tests wait for a line of it.
type output struct {
	mu    sync.Mutex // guards the fields below
	text  strings.Builder
	ended bool
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// end says that nothing more will be written.
func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
}

func (o *output) hasEnded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended
}

// await returns the first whole line that holds the text; ok is false when there is none by the end of the process or of
// the time.
func (o *output) await(text string, within time.Duration) (line string, ok bool) {
	comes(within, func() bool {
		o.mu.Lock()
		written, ended := o.text.String(), o.ended
		o.mu.Unlock()
		for line = range strings.Lines(written) {
			if strings.HasSuffix(line, "\n") && strings.Contains(line, text) {
				line, ok = strings.TrimSpace(line), true
				return true
			}
		}
		return ended
	})
	return line, ok
}

// startProcess starts a command whose output is kept, and returns a function that kills it and waits for its end; the end
// of the test does so too.
func startProcess(t testing.TB, cmd *exec.Cmd) (out *output, kill func()) {
	t.Helper()
	out = &output{}
	cmd.Stdout, cmd.Stderr = out, out
	dieWithUs(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // killed, mostly
		out.end()
	}()
	kill = func() {
		_ = cmd.Process.Kill() // it may have ended
		<-exited
	}
	t.Cleanup(kill)
	return out, kill
}
