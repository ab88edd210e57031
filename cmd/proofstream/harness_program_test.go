package main

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
)

// testKey is the key of a program started by start, and has what tests of secrecy look for.
const testKey = "canary-key-of-the-tests"

// program is a running proofstream.
type program struct {
	server
	ops server // its metrics and profiles, with metricsOn

	t      *testing.T
	cmd    *exec.Cmd
	env    []string
	dir    string // PROOF_DATA_DIR
	stderr *output
	exited chan struct{}
	status int // of exit, -1 when ended by a signal; valid once exited
}

// metricsOn is for the environment of a program whose metrics a test reads.
func metricsOn(t testing.TB) string { return "PROOF_METRICS_ADDR=" + freeAddress(t) }

// start runs the program with the environment given on top of: a free port of the loopback, a data directory of its own,
// testKey, no metrics, no rate limit. It returns once the program serves.
func start(t *testing.T, env ...string) *program {
	t.Helper()
	return startVia(t, nil, env...)
}

// startVia is start through another program, such as a shell.
func startVia(t *testing.T, via []string, env ...string) *program {
	t.Helper()
	p := launchVia(t, via, env...)
	line := p.awaitLog(`serving url=`)
	p.url = regexp.MustCompile(`url=(http\S+)`).FindStringSubmatch(line)[1]
	if p.key == "" {
		p.key = regexp.MustCompile(`#key=(\S+)`).FindStringSubmatch(p.awaitLog(`#key=`))[1]
	}
	return p
}

// launch starts the program like start, but does not wait for it to serve.
func launch(t *testing.T, env ...string) *program {
	t.Helper()
	return launchVia(t, nil, env...)
}

func launchVia(t *testing.T, via []string, env ...string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(append([]string{}, via...), self)
	p := &program{server: server{key: testKey}, t: t, stderr: &output{}, exited: make(chan struct{})}
	p.setEnv(env)
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Env = p.env // of repeated variables the last counts
	p.cmd.Stderr = p.stderr
	p.cmd.Stdout = p.stderr
	dieWithUs(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		p.status = p.cmd.ProcessState.ExitCode()
		p.stderr.end()
		close(p.exited)
	}()
	t.Cleanup(p.cleanUp)
	return p
}

// setEnv completes an environment, and takes from it what tests ask about.
func (p *program) setEnv(env []string) {
	p.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), beTheProgram + "=1",
		"PROOF_ADDR=127.0.0.1:0", "PROOF_METRICS_ADDR=off", "PROOF_API_KEYS=" + testKey, "PROOF_RATE_LIMIT=0",
	}, env...)
	for _, v := range p.env {
		name, value, _ := strings.Cut(v, "=")
		switch name {
		case "PROOF_DATA_DIR":
			p.dir = value
		case "PROOF_API_KEYS":
			p.key, _, _ = strings.Cut(value, ",")
		case "PROOF_METRICS_ADDR":
			p.ops = server{url: "http://" + value}
		}
	}
	if p.dir == "" {
		p.dir = p.t.TempDir()
		p.env = append(p.env, "PROOF_DATA_DIR="+p.dir)
	}
}

// cleanUp ends the program and reads its log: no test passes over a data race, a panic or a key in it.
func (p *program) cleanUp() {
	p.kill()
	log := p.stderr.String()
	for _, bad := range []string{"DATA RACE", "panic: ", "fatal error: ", testKey} {
		if strings.Contains(log, bad) {
			p.t.Errorf("the program wrote:\n%s", log)
			return
		}
	}
	if p.t.Failed() {
		p.t.Logf("the program wrote:\n%s", log[max(0, len(log)-4000):])
	}
}

// restart starts the program again after its end: same directory, same port, same environment.
func (p *program) restart(env ...string) *program {
	p.t.Helper()
	u, err := url.Parse(p.url)
	if err != nil {
		p.t.Fatal(err)
	}
	again := append(append([]string{}, p.env...), "PROOF_ADDR="+u.Host, "PROOF_DATA_DIR="+p.dir)
	return start(p.t, append(again, env...)...)
}

// command runs the program once more, with arguments and this one's environment, and waits for its end.
func (p *program) command(t testing.TB, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.Command(self, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, &out, &errs
	dieWithUs(cmd)
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// kill ends the program as a crash would, with SIGKILL, and waits for its end.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.exited
}

// term asks the program to end, with SIGTERM. It does not wait: see wait and stop.
func (p *program) term() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

// wait waits for the program's end and returns its exit status.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("the program has not ended after %v; it wrote:\n%s", patience, p.stderr)
	}
	return p.status
}

// stop ends the program with SIGTERM, and fails the test when its status is not 0.
func (p *program) stop() {
	p.t.Helper()
	p.term()
	if status := p.wait(); status != 0 {
		p.t.Errorf("after SIGTERM: status %d", status)
	}
}

// awaitLog waits until the program has written a line that holds the text, and returns that line.
func (p *program) awaitLog(text string) string {
	p.t.Helper()
	line, ok := p.stderr.await(text, patience)
	if !ok {
		p.t.Fatalf("no line with %q; the program wrote:\n%s", text, p.stderr)
	}
	return line
}

// metric returns a figure of the program's metrics, the sum over all labels if the name has none.
func (p *program) metric(t testing.TB, name string) float64 {
	t.Helper()
	return p.ops.metric(t, name)
}

// descriptors returns the program's open descriptors, except those of connections that only this test keeps.
func (p *program) descriptors(t testing.TB) float64 {
	t.Helper()
	httpClient.CloseIdleConnections()
	return p.metric(t, "process_open_fds")
}

// heap returns the bytes of live objects, after a collection: pages that are half empty are no leak.
func (p *program) heap(t testing.TB) float64 {
	t.Helper()
	for range 2 {
		p.ops.get(t, "/debug/pprof/heap?gc=1")
	}
	return p.metric(t, "go_memstats_heap_alloc_bytes")
}

// subscribers returns the number of open streams in /stats.
func (p *program) subscribers(t testing.TB) int {
	t.Helper()
	var got struct{ Subscribers int }
	if err := json.Unmarshal([]byte(p.get(t, "/stats").body), &got); err != nil {
		t.Fatal(err)
	}
	return got.Subscribers
}

// ready reports whether /ready answers 200.
func (p *program) ready() bool {
	a, _ := p.try("GET", "/ready", "")
	return a.status == 200
}
