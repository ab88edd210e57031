package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The end-to-end tests start the real program: the test binary runs main when it is told to, so that
// what is tested is always what was compiled, with the race detector when the tests have it.
const beTheProgram = "BE_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(beTheProgram) != "" {
		os.Unsetenv(beTheProgram)
		main()
	}
	status := m.Run()
	closeBrowser()
	for _, f := range atEnd {
		f()
	}
	os.Exit(status)
}

// patience is how long a test waits for a fact before it gives up. It is no measure of speed: two busy
// cores and the race detector make everything slow at times.
const patience = 30 * time.Second

// testKey is the key of a program started by start, and has what tests of secrecy look for.
const testKey = "canary-key-of-the-tests"

// program is a running proofstream.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	env    []string
	url    string // http://127.0.0.1:PORT
	key    string // for site default
	dir    string // PROOF_DATA_DIR
	stderr *journal
	exited chan struct{}
	status int // of exit, -1 when ended by a signal; valid once exited
}

// start runs the program with the environment given on top of: a free port of the loopback, a data
// directory of its own, testKey, no metrics, no rate limit. It returns once the program serves.
func start(t *testing.T, env ...string) *program {
	t.Helper()
	return startVia(t, nil, env...)
}

// startVia is start through another program, such as strace or ip netns exec.
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
	p := &program{t: t, stderr: newJournal(), exited: make(chan struct{}), key: testKey}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Stderr = p.stderr
	p.cmd.Stdout = p.stderr
	dieWithUs(p.cmd)
	p.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), beTheProgram + "=1",
		"PROOF_ADDR=127.0.0.1:0", "PROOF_METRICS_ADDR=off", "PROOF_API_KEYS=" + testKey, "PROOF_RATE_LIMIT=0",
	}, env...)
	for _, v := range p.env {
		if dir, ok := strings.CutPrefix(v, "PROOF_DATA_DIR="); ok {
			p.dir = dir
		}
		if keys, ok := strings.CutPrefix(v, "PROOF_API_KEYS="); ok {
			p.key, _, _ = strings.Cut(keys, ",")
		}
	}
	if p.dir == "" {
		p.dir = t.TempDir()
		p.env = append(p.env, "PROOF_DATA_DIR="+p.dir)
	}
	p.cmd.Env = p.env // of repeated variables the last counts
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

// cleanUp ends the program and looks at what it said: no test passes over a data race, a panic or a key told.
func (p *program) cleanUp() {
	p.kill()
	said := p.stderr.String()
	for _, bad := range []string{"DATA RACE", "panic: ", "fatal error: ", testKey} {
		if strings.Contains(said, bad) {
			p.t.Errorf("the program said:\n%s", said)
			return
		}
	}
	if p.t.Failed() {
		p.t.Logf("the program said:\n%s", tail(said, 4000))
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

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
	var out, said bytes.Buffer
	cmd := exec.Command(self, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, &out, &said
	dieWithUs(cmd)
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), said.String(), cmd.ProcessState.ExitCode()
}

// kill ends the program as a crash would, with SIGKILL, and waits for its end.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.exited
}

// term asks the program to end, with SIGTERM. It does not wait: see wait.
func (p *program) term() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

// wait waits for the program's end and returns its exit status.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("the program has not ended after %v; it said:\n%s", patience, p.stderr)
	}
	return p.status
}

// awaitLog waits until the program has said a line that holds the text, and returns that line.
func (p *program) awaitLog(text string) string {
	p.t.Helper()
	line, ok := p.stderr.await(text, patience)
	if !ok {
		p.t.Fatalf("the program has not said %q; it said:\n%s", text, p.stderr)
	}
	return line
}

// client is for requests that tests make: no proxy, many connections kept.
var client = &http.Client{
	Timeout:   patience,
	Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
}

// answer is what a request was answered with.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask makes a request; headers are "Name: value".
func (p *program) ask(t testing.TB, method, path, body string, headers ...string) answer {
	t.Helper()
	a, err := p.try(method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// try is ask for requests that may fail.
func (p *program) try(method, path, body string, headers ...string) (answer, error) {
	r, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	resp, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b)}, err
}

// get requests a path and returns the answer.
func (p *program) get(t testing.TB, path string, headers ...string) answer {
	t.Helper()
	return p.ask(t, "GET", path, "", headers...)
}

// post posts a signup as JSON, fields "name=value", and returns its id. Anything but 200 fails the test.
func (p *program) post(t testing.TB, fields ...string) (id string) {
	t.Helper()
	id, err := p.tryPost("", fields...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// postMany posts n signups named prefix0, prefix1 …, one after the other.
func (p *program) postMany(t testing.TB, prefix string, n int) (ids []string) {
	t.Helper()
	for i := range n {
		ids = append(ids, p.post(t, fmt.Sprintf("user_name=%s%d", prefix, i)))
	}
	return ids
}

// journal keeps what a program says, and lets tests wait for it.
type journal struct {
	mu    sync.Mutex
	text  strings.Builder
	more  chan struct{} // closed and replaced with each write
	ended bool
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.more)
	j.more = make(chan struct{})
	return j.text.Write(b)
}

func (j *journal) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
	close(j.more)
	j.more = make(chan struct{})
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// await returns the first whole line that holds the text; ok is false when there is none by the end of the
// program or of the time.
func (j *journal) await(text string, within time.Duration) (line string, ok bool) {
	for deadline := time.After(within); ; {
		j.mu.Lock()
		said, more, ended := j.text.String(), j.more, j.ended
		j.mu.Unlock()
		for line := range strings.Lines(said) {
			if strings.HasSuffix(line, "\n") && strings.Contains(line, text) {
				return strings.TrimSpace(line), true
			}
		}
		if ended {
			return "", false
		}
		select {
		case <-more:
		case <-deadline:
			return "", false
		}
	}
}

// need skips a test where a program is missing; with CI=true that is a failure.
func need(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no %s: install it", name)
	}
	t.Skipf("no %s: install it to run this test", name)
}
