package e2e

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"proofstream/stream/waitfor"
)

// TestKey is the key of a program started by start, and has what tests of secrecy look for.
const TestKey = "canary-key-of-the-tests"

// Program is a running proofstream.
type Program struct {
	Server
	Ops Server // its metrics and profiles, with MetricsOn

	t      *testing.T
	Cmd    *exec.Cmd
	Env    []string
	Dir    string // PROOF_DATA_DIR
	Stderr *waitfor.Output
	Exited chan struct{}
	status int // of exit, -1 when ended by a signal; valid once exited
}

// MetricsOn is for the environment of a program whose metrics a test reads.
func MetricsOn(t testing.TB) string { return "PROOF_METRICS_ADDR=" + FreeAddress(t) }

// Start runs the program with the environment given on top of: a free port of the loopback, a data directory of its own,
// testKey, no metrics, no rate limit. It returns once the program serves.
func Start(t *testing.T, env ...string) *Program {
	t.Helper()
	return StartVia(t, nil, env...)
}

// StartVia is start through another program, such as a shell.
func StartVia(t *testing.T, via []string, env ...string) *Program {
	t.Helper()
	p := launchVia(t, via, env...)
	line := p.AwaitLog(`serving url=`)
	p.URL = regexp.MustCompile(`url=(http\S+)`).FindStringSubmatch(line)[1]
	if p.Key == "" {
		p.Key = regexp.MustCompile(`#key=(\S+)`).FindStringSubmatch(p.AwaitLog(`#key=`))[1]
	}
	return p
}

// Launch starts the program like start, but does not wait for it to serve.
func Launch(t *testing.T, env ...string) *Program {
	t.Helper()
	return launchVia(t, nil, env...)
}

func launchVia(t *testing.T, via []string, env ...string) *Program {
	t.Helper()
	args := append(append([]string{}, via...), Binary(t))
	p := &Program{Server: Server{Key: TestKey}, t: t, Stderr: &waitfor.Output{}, Exited: make(chan struct{})}
	p.setEnv(env)
	p.Cmd = exec.Command(args[0], args[1:]...)
	p.Cmd.Env = p.Env // of repeated variables the last counts
	p.Cmd.Stderr = p.Stderr
	p.Cmd.Stdout = p.Stderr
	DieWithUs(p.Cmd)
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.Cmd.Wait()
		p.status = p.Cmd.ProcessState.ExitCode()
		p.Stderr.End()
		close(p.Exited)
	}()
	t.Cleanup(p.cleanUp)
	return p
}

// setEnv completes an environment, and takes from it what tests ask about.
func (p *Program) setEnv(env []string) {
	p.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"PROOF_ADDR=127.0.0.1:0", "PROOF_METRICS_ADDR=off", "PROOF_API_KEYS=" + TestKey, "PROOF_RATE_LIMIT=0",
	}, env...)
	for _, v := range p.Env {
		name, value, _ := strings.Cut(v, "=")
		switch name {
		case "PROOF_DATA_DIR":
			p.Dir = value
		case "PROOF_API_KEYS":
			p.Key, _, _ = strings.Cut(value, ",")
		case "PROOF_METRICS_ADDR":
			p.Ops = Server{URL: "http://" + value}
		}
	}
	if p.Dir == "" {
		p.Dir = p.t.TempDir()
		p.Env = append(p.Env, "PROOF_DATA_DIR="+p.Dir)
	}
}

// cleanUp ends the program and reads its log: no test passes over a data race, a panic or a key in it.
func (p *Program) cleanUp() {
	p.Kill()
	log := p.Stderr.String()
	for _, bad := range []string{"DATA RACE", "panic: ", "fatal error: ", TestKey} {
		if strings.Contains(log, bad) {
			p.t.Errorf("the program wrote:\n%s", log)
			return
		}
	}
	if p.t.Failed() {
		p.t.Logf("the program wrote:\n%s", log[max(0, len(log)-4000):])
	}
}

// Restart starts the program again after its end: same directory, same port, same environment.
func (p *Program) Restart(env ...string) *Program {
	p.t.Helper()
	u, err := url.Parse(p.URL)
	if err != nil {
		p.t.Fatal(err)
	}
	again := append(append([]string{}, p.Env...), "PROOF_ADDR="+u.Host, "PROOF_DATA_DIR="+p.Dir)
	return Start(p.t, append(again, env...)...)
}

// Command runs the program once more, with arguments and this one's environment, and waits for its end.
func (p *Program) Command(t testing.TB, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return RunProgram(t, p.Env, args...)
}

// RunProgram runs the program with an environment and arguments, and waits for its end.
func RunProgram(t testing.TB, env []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(Binary(t), args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &errs
	DieWithUs(cmd)
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Kill ends the program as a crash would, with SIGKILL, and waits for its end.
func (p *Program) Kill() {
	_ = p.Cmd.Process.Kill() // it may have ended
	<-p.Exited
}

// Term asks the program to end, with SIGTERM. It does not wait: see wait and stop.
func (p *Program) Term() { _ = p.Cmd.Process.Signal(syscall.SIGTERM) }

// Wait waits for the program's end and returns its exit status.
func (p *Program) Wait() int {
	p.t.Helper()
	select {
	case <-p.Exited:
	case <-time.After(waitfor.Patience):
		p.t.Fatalf("the program has not ended after %v; it wrote:\n%s", waitfor.Patience, p.Stderr)
	}
	return p.status
}

// Stop ends the program with SIGTERM, and fails the test when its status is not 0.
func (p *Program) Stop() {
	p.t.Helper()
	p.Term()
	if status := p.Wait(); status != 0 {
		p.t.Errorf("after SIGTERM: status %d", status)
	}
}

// AwaitLog waits until the program has written a line that holds the text, and returns that line.
func (p *Program) AwaitLog(text string) string {
	p.t.Helper()
	line, ok := p.Stderr.Line(text, waitfor.Patience)
	if !ok {
		p.t.Fatalf("no line with %q; the program wrote:\n%s", text, p.Stderr)
	}
	return line
}

// Metric returns a figure of the program's metrics, the sum over all labels if the name has none.
func (p *Program) Metric(t testing.TB, name string) float64 {
	t.Helper()
	return p.Ops.metric(t, name)
}

// Descriptors returns the program's open descriptors, except those of connections that only this test keeps.
func (p *Program) Descriptors(t testing.TB) float64 {
	t.Helper()
	HTTPClient.CloseIdleConnections()
	return p.Metric(t, "process_open_fds")
}

// Heap returns the bytes of live objects, after a collection: pages that are half empty are no leak.
func (p *Program) Heap(t testing.TB) float64 {
	t.Helper()
	for range 2 {
		p.Ops.Get(t, "/debug/pprof/heap?gc=1")
	}
	return p.Metric(t, "go_memstats_heap_alloc_bytes")
}

// Subscribers returns the number of open streams in /stats.
func (p *Program) Subscribers(t testing.TB) int {
	t.Helper()
	var got struct{ Subscribers int }
	if err := json.Unmarshal([]byte(p.Get(t, "/stats").Body), &got); err != nil {
		t.Fatal(err)
	}
	return got.Subscribers
}

// Ready reports whether /ready answers 200.
func (p *Program) Ready() bool {
	a, _ := p.Try("GET", "/ready", "")
	return a.Status == 200
}
