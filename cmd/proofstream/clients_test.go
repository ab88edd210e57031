package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// gate passes requests on to the program, notes with which Last-Event-ID streams are asked for, and cuts all of them
// when it is shut; until it opens again it refuses.
type gate struct {
	url      string
	inFlight sync.WaitGroup // requests that are being passed on, joined under mu while the gate is open

	mu     sync.Mutex
	shut   bool
	lastID []string
	ctx    context.Context // of the open streams
	cut    context.CancelFunc
}

func newGate(t *testing.T, p *program) *gate {
	t.Helper()
	to, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.FlushInterval = -1
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	g := &gate{}
	g.open()
	g.url = serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		shut, ctx := g.shut, g.ctx
		if !shut {
			g.lastID = append(g.lastID, r.Header.Get("Last-Event-ID"))
			g.inFlight.Add(1)
		}
		g.mu.Unlock()
		if shut {
			panic(http.ErrAbortHandler) // the connection ends without an answer, as with a network that is gone
		}
		defer g.inFlight.Done()
		proxy.ServeHTTP(w, r.WithContext(ctx))
	}))
	return g
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = false
	g.ctx, g.cut = context.WithCancel(context.Background())
}

// close returns when nothing more can come through: what is posted then, no client hears.
func (g *gate) close() {
	g.mu.Lock()
	g.shut = true
	g.cut()
	g.mu.Unlock()
	g.inFlight.Wait()
}

func (g *gate) asked() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.lastID)
}

// Each real client: it received only ready, lost its connection, and comes back by itself to exactly what was posted
// meanwhile. Ids come back byte for byte, and heartbeats are no messages.
func TestRealClientsComeBackToWhatTheyMissed(t *testing.T) {
	clients := map[string]func(t *testing.T, url string) (heard func() []string){"Chromium": chromium, "npm eventsource": npmEventsource}
	for name, connect := range clients {
		t.Run(name, func(t *testing.T) {
			p := start(t, "PROOF_RETRY=100ms", "PROOF_HEARTBEAT=20ms")
			g := newGate(t, p)
			p.post(t, "user_name=before")
			heard := connect(t, g.url)
			await := func(n int) []string {
				t.Helper()
				until(t, patience, func() bool { return len(heard()) >= n }, func() string { return fmt.Sprintf("heard only %q", heard()) })
				return heard()
			}
			ready := strings.Fields(await(1)[0])
			g.close()
			want := p.postMany(t, "missed", 7)
			g.open()
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
			g.close()
			g.open()
			until(t, patience, func() bool { return len(g.asked()) >= 3 }, func() string { return fmt.Sprint(g.asked()) })
			if asked := g.asked(); asked[0] != "" || asked[1] != ready[1] || asked[2] != want[len(want)-1] {
				t.Errorf("asked for streams after %q, want none, %s and %s", asked, ready[1], want[len(want)-1])
			}
			time.Sleep(100 * time.Millisecond) // for a few heartbeats
			for _, line := range heard() {
				if strings.HasPrefix(line, "message") {
					t.Errorf("heard %q, which is none of ours", line)
				}
			}
		})
	}
}

const listenAndTell = `
for (const kind of ["ready", "signup", "busy", "retract", "message"])
	source.addEventListener(kind, e => tell(kind + " " + e.lastEventId + " " + e.data))
`

func chromium(t *testing.T, url string) func() []string {
	needBrowser(t)
	page := tab(t, servePage(t, `<!doctype html><script>heard = []; tell = line => heard.push(line)
source = new EventSource("`+url+`/events")`+listenAndTell+`</script>`))
	return func() []string { return eval[[]string](t, page, "heard") }
}

// npmEventsource is the client of the same name for Node.js, installed for this run.
func npmEventsource(t *testing.T, url string) func() []string {
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("no %s: install it to test with a second client", name)
		}
	}
	dir := t.TempDir()
	install := exec.Command("npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--fetch-retries=0", "eventsource@4.1.1")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("the registry cannot be reached for npm's eventsource: %.300s", out)
	}
	script := `import { EventSource } from "eventsource"
const tell = line => console.log(JSON.stringify(line))
const source = new EventSource(process.argv[2] + "/events")` + listenAndTell
	file := filepath.Join(dir, "client.mjs")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", file, url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	dieWithUs(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var (
		mu    sync.Mutex
		lines []string
		done  = make(chan struct{})
	)
	go func() {
		defer close(done)
		for s := bufio.NewScanner(out); s.Scan(); {
			var line string
			if err := json.Unmarshal(s.Bytes(), &line); err == nil {
				mu.Lock()
				lines = append(lines, line)
				mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-done
		cmd.Wait()
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(lines)
	}
}
