package main

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
)

// Each real client: it received only ready, lost its connection, and reconnects by itself and gets exactly what was posted
// meanwhile. Ids come back byte for byte. Heartbeats that came are no messages: the signup after them is the next that
// it hears.
func TestRealClientsComeBackToWhatTheyMissed(t *testing.T) {
	clients := map[string]func(t *testing.T, url string) (heard func() []string){"Chromium": chromium, "npm eventsource": npmEventsource}
	for name, connect := range clients {
		t.Run(name, func(t *testing.T) {
			p := start(t, "PROOF_RETRY=100ms", "PROOF_HEARTBEAT=20ms")
			f := startHTTPProxy(t, p)
			heartbeats := countHeartbeats(f)
			p.post(t, "user_name=before")
			heard := connect(t, f.URL)
			await := func(n int) []string {
				t.Helper()
				until(t, patience, func() bool { return len(heard()) >= n }, func() string { return fmt.Sprintf("heard only %q", heard()) })
				return heard()
			}
			ready := strings.Fields(await(1)[0])
			f.instead("/events", cut)
			want := p.postMany(t, "missed", 7)
			f.instead("/events", nil)
			want = append(want, p.post(t, "user_name=a last one"))
			var got []string
			for _, line := range await(1 + 1 + len(want)) {
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
			until(t, patience, func() bool { return slices.Equal(f.lastEventIDs(), cursors) }, func() string {
				return fmt.Sprintf("asked for streams after %q, want %q", f.lastEventIDs(), cursors)
			})
			before := heartbeats.Load()
			until(t, patience, func() bool { return heartbeats.Load() >= before+3 }, func() string { return "no heartbeats" })
			marker := p.post(t, "user_name=marker")
			all := await(len(heard()) + 1)
			for _, line := range all {
				if strings.HasPrefix(line, "message") {
					t.Errorf("heard %q", line)
				}
			}
			if last := all[len(all)-1]; !strings.HasPrefix(last, "signup "+marker) {
				t.Errorf("heard %q after heartbeats, want the signup %s", last, marker)
			}
		})
	}
}

// countHeartbeats counts the heartbeats that a proxy passes on.
func countHeartbeats(f *httpProxy) *atomic.Int64 {
	var n atomic.Int64
	f.answer = func(r *http.Response) { r.Body = heartbeatCounter{r.Body, &n} }
	return &n
}

type heartbeatCounter struct {
	io.ReadCloser
	n *atomic.Int64
}

// Read counts comments, each of which the service writes at once.
func (c heartbeatCounter) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.n.Add(int64(bytes.Count(b[:n], []byte(":\n"))))
	return n, err
}

const listenAndReport = `
for (const kind of ["ready", "signup", "busy", "retract", "message"])
	source.addEventListener(kind, e => report(kind + " " + e.lastEventId + " " + e.data))
`

func chromium(t *testing.T, url string) func() []string {
	needBrowser(t)
	page := tab(t, servePage(t, `<!doctype html><script>heard = []; report = line => heard.push(line)
source = new EventSource("`+url+`/events")`+listenAndReport+`</script>`))
	return func() []string { return eval[[]string](t, page, "heard") }
}

// npmEventsource is the client of the same name for Node.js, installed for this run.
func npmEventsource(t *testing.T, url string) func() []string {
	slow(t)
	need(t, "node")
	need(t, "npm")
	dir := t.TempDir()
	install := exec.Command("npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--fetch-retries=0", "eventsource@4.1.1")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("the registry cannot be reached for npm's eventsource: %.300s", out)
	}
	script := `import { EventSource } from "eventsource"
const report = line => console.log(JSON.stringify(line))
const source = new EventSource(process.argv[2] + "/events")` + listenAndReport
	file := filepath.Join(dir, "client.mjs")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := startProcess(t, exec.Command("node", file, url))
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
