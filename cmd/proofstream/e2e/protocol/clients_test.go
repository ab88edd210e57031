package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// Chromium and npm's eventsource reconnect by themselves after they received only ready, and get exactly what was posted meanwhile.
// They return ids byte for byte. Heartbeats are no messages to them: the next event they hear is the signup after the heartbeats.
func TestRealClientsResumeByThemselves(t *testing.T) {
	clients := map[string]func(t *testing.T, url string) (heard func() []string){"Chromium": chromium, "npm eventsource": npmEventsource}
	for name, connect := range clients {
		t.Run(name, func(t *testing.T) { checkClientResumes(t, connect) })
	}
}

func checkClientResumes(t *testing.T, connect func(t *testing.T, url string) (heard func() []string)) {
	p := e2e.Start(t, "PROOF_RETRY=100ms", "PROOF_HEARTBEAT=20ms")
	f := e2e.StartHTTPProxy(t, p)
	heartbeats := countHeartbeats(f)
	p.Post(t, "user_name=before")
	heard := connect(t, f.URL)
	await := func(n int) []string {
		t.Helper()
		waitfor.Until(t, waitfor.Patience, func() bool { return len(heard()) >= n }, func() string { return fmt.Sprintf("heard only %q", heard()) })
		return heard()
	}
	ready := strings.Fields(await(1)[0])
	f.Replace("/events", e2e.Cut)
	want := p.PostMany(t, "missed", 7)
	f.Replace("/events", nil)
	want = append(want, p.Post(t, "user_name=a last one"))
	var got []string
	for _, line := range await(1 + 1 + len(want)) { // two ready events
		words := strings.Fields(line)
		switch words[0] {
		case "signup":
			got = append(got, words[1])
		case "ready":
		default:
			t.Errorf("heard %q", line)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	f.CloseClientConnections()
	cursors := []string{"", ready[1], want[len(want)-1]}
	waitfor.Until(t, waitfor.Patience, func() bool { return slices.Equal(f.LastEventIDs(), cursors) }, func() string {
		return fmt.Sprintf("requested streams after %q, want %q", f.LastEventIDs(), cursors)
	})
	checkHeartbeatsAreNoMessages(t, p, heartbeats, heard)
}

// checkHeartbeatsAreNoMessages waits for three heartbeats and then for a signup. The client must have heard no message.
func checkHeartbeatsAreNoMessages(t *testing.T, p *e2e.Program, heartbeats *atomic.Int64, heard func() []string) {
	t.Helper()
	before := heartbeats.Load()
	waitfor.Fact(t, "three heartbeats", func() bool { return heartbeats.Load() >= before+3 })
	marker := "signup " + p.Post(t, "user_name=marker")
	var all []string
	waitfor.Until(t, waitfor.Patience, func() bool {
		all = heard()
		return strings.HasPrefix(all[len(all)-1], marker)
	}, func() string { return fmt.Sprintf("heard %q after heartbeats, want %s", all, marker) })
	for _, line := range all {
		if strings.HasPrefix(line, "message") {
			t.Errorf("heard %q", line)
		}
	}
}

// countHeartbeats returns the number of heartbeats that a proxy forwards from now on.
func countHeartbeats(f *e2e.HTTPProxy) *atomic.Int64 {
	var n atomic.Int64
	f.OnResponse(func(r *http.Response) { r.Body = heartbeatCounter{r.Body, &n} })
	return &n
}

type heartbeatCounter struct {
	io.ReadCloser
	n *atomic.Int64
}

// Read counts heartbeats. The service writes each in one piece.
func (c heartbeatCounter) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.n.Add(int64(bytes.Count(b[:n], []byte(":\n"))))
	return n, err
}

// listenAndReport is JavaScript that calls report for each event of source.
const listenAndReport = `
for (const kind of ["ready", "signup", "busy", "retract", "message"])
	source.addEventListener(kind, e => report(kind + " " + e.lastEventId + " " + e.data))
`

// chromium reads a stream with the EventSource of Chromium. heard returns its events so far.
func chromium(t *testing.T, url string) func() []string {
	e2e.NeedBrowser(t)
	page := e2e.Tab(t, e2e.ServePage(t, `<!doctype html><script>heard = []; report = line => heard.push(line)
source = new EventSource("`+url+`/events")`+listenAndReport+`</script>`))
	return func() []string { return e2e.Eval[[]string](t, page, "heard") }
}

// npmEventsource reads a stream with the npm package eventsource, which it installs for this test.
func npmEventsource(t *testing.T, url string) func() []string {
	e2e.Slow(t)
	e2e.Need(t, "node")
	e2e.Need(t, "npm")
	dir := t.TempDir()
	install := exec.Command("npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--fetch-retries=0", "eventsource@4.1.1")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("install npm's eventsource: %.300s", out)
		}
		t.Skipf("the registry cannot be reached for npm's eventsource: %.300s", out)
	}
	script := `import { EventSource } from "eventsource"
const report = line => console.log(JSON.stringify(line))
const source = new EventSource(process.argv[2] + "/events")` + listenAndReport
	file := filepath.Join(dir, "client.mjs")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := e2e.StartProcess(t, exec.Command("node", file, url))
	return func() (lines []string) {
		for text := range strings.Lines(out.String()) {
			var line string
			if json.Unmarshal([]byte(text), &line) == nil {
				lines = append(lines, line)
			}
		}
		return lines
	}
}
