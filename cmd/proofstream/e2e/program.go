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

// TestKey is the API key of a program that Start starts. No log line of a program may contain it.
const TestKey = "canary-key-of-the-tests"

// Program is a running proofstream.
type Program struct {
	Server
	Ops Server // metrics and profiles; needs MetricsOn

	t      *testing.T
	Cmd    *exec.Cmd
	Env    []string        // of the process
	Dir    string          // PROOF_DATA_DIR
	Stderr *waitfor.Output // stdout and stderr
	Exited chan struct{}   // closed after the end of the process
	status int             // exit status; valid once Exited is closed
}

// MetricsOn returns the environment variable that makes a program serve its metrics on a free port.
func MetricsOn(t testing.TB) string { return "PROOF_METRICS_ADDR=" + FreeAddress(t) }

// Start runs the program until the test ends, and returns once it serves. By default the program has a free port of the loopback, its
// own data directory, TestKey, no metrics and no rate limit; env, of "NAME=value", overrides that.
func Start(t *testing.T, env ...string) *Program {
	t.Helper()
	return StartVia(t, nil, env...)
}

// StartVia is Start through another command, such as a shell: the path of the program is appended to via.
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

// Launch is Start without waiting for the program to serve.
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
	p.Cmd.Env = p.Env // of a repeated variable the last one counts
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

// setEnv adds the defaults to an environment, and sets the fields of p that depend on it.
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

// cleanUp kills the program, and fails the test when the log contains a data race, a panic or TestKey.
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

// Restart starts the program again after its end, with the same data directory, port and environment, followed by env.
func (p *Program) Restart(env ...string) *Program {
	p.t.Helper()
	u, err := url.Parse(p.URL)
	if err != nil {
		p.t.Fatal(err)
	}
	again := append(append([]string{}, p.Env...), "PROOF_ADDR="+u.Host, "PROOF_DATA_DIR="+p.Dir)
	return Start(p.t, append(again, env...)...)
}

// Command is RunProgram with the environment of p.
func (p *Program) Command(t testing.TB, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return RunProgram(t, p.Env, args...)
}

// RunProgram runs the program with an environment and arguments, waits for its end, and returns its output and exit status.
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

// Kill ends the program with SIGKILL, as a crash does, and waits for its end.
func (p *Program) Kill() {
	_ = p.Cmd.Process.Kill() // it may have ended
	<-p.Exited
}

// Term sends SIGTERM and does not wait. See Wait and Stop.
func (p *Program) Term() { _ = p.Cmd.Process.Signal(syscall.SIGTERM) }

// Wait waits for the end of the program and returns its exit status, -1 when a signal ended it.
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

// AwaitLog waits until the log has a line that contains text, and returns the first such line.
func (p *Program) AwaitLog(text string) string {
	p.t.Helper()
	line, ok := p.Stderr.Line(text, waitfor.Patience)
	if !ok {
		p.t.Fatalf("no line with %q; the program wrote:\n%s", text, p.Stderr)
	}
	return line
}

// Metric returns the value of a metric. A name without labels gives the sum over all labels.
func (p *Program) Metric(t testing.TB, name string) float64 {
	t.Helper()
	return p.Ops.metric(t, name)
}

// CloseIdleConnections closes the idle connections of Server.Request and what is built on it.
func CloseIdleConnections() { httpClient.CloseIdleConnections() }

// Descriptors returns the number of open descriptors of the program, without idle connections of the harness.
func (p *Program) Descriptors(t testing.TB) float64 {
	t.Helper()
	CloseIdleConnections()
	return p.Metric(t, "process_open_fds")
}

// Heap returns the bytes of live objects after two garbage collections: one frees what finalizers and pools keep.
func (p *Program) Heap(t testing.TB) float64 {
	t.Helper()
	for range 2 {
		p.Ops.Get(t, "/debug/pprof/heap?gc=1")
	}
	return p.Metric(t, "go_memstats_heap_alloc_bytes")
}

// Subscribers returns the number of open streams according to /stats.
func (p *Program) Subscribers(t testing.TB) int {
	t.Helper()
	var got struct{ Subscribers int }
	if err := json.Unmarshal([]byte(p.Get(t, "/stats").Body), &got); err != nil {
		t.Fatal(err)
	}
	return got.Subscribers
}

// Ready reports whether the status of /ready is 200.
func (p *Program) Ready() bool {
	a, _ := p.TryRequest("GET", "/ready", "")
	return a.Status == 200
}
