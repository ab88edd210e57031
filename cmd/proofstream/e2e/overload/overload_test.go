package overload

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// A stream over PROOF_MAX_SUBSCRIBERS gets only busy, with a spread delay of 5 to 30 s, and then an end that is an error to a browser.
// When another stream closes, a new one gets its place.
func TestStreamBeyondTheLimitIsToldToRetryLater(t *testing.T) {
	p := e2e.Start(t, "PROOF_MAX_SUBSCRIBERS=3")
	inside := e2e.OpenReaders(t, p.Server, 3, "")
	retries := map[int]bool{}
	for range 20 {
		s := p.Listen(t, "", "Last-Event-ID: keep-1")
		end := s.Ended(t)
		got := s.Received()
		if end.Status != 200 || !errors.Is(end.Err, io.ErrUnexpectedEOF) || len(got) != 1 || got[0].Kind != "busy" || got[0].Data != "{}" || got[0].ID != "" {
			t.Fatalf("got %+v after %+v, want only busy, then an end without the final chunk", end, got)
		}
		ms := int(s.Retry.Milliseconds())
		if ms < 5000 || ms > 30_000 {
			t.Errorf("got retry %d, want 5 to 30 s", ms)
		}
		retries[ms] = true
	}
	if len(retries) < 10 {
		t.Errorf("got retries %v, want them spread", retries)
	}
	p.Post(t, "user_name=Ada")
	inside.Await(t, 1, waitfor.Patience)
	inside.Close()
	s := p.Follow(t, "")
	s.Await(t, "a free place", func() bool { return len(e2e.OfKind(s.Events, "ready")) > 0 })
}

// With as many streams as the limit of descriptors allows, all other requests still succeed.
func TestDescriptorsAreKeptInReserve(t *testing.T) {
	for name, asked := range map[string]string{"by default": "", "though more were asked for": "5000"} {
		t.Run(name, func(t *testing.T) { reserveIsKept(t, asked) })
	}
}

// reserveIsKept fills a program whose limit is 400 descriptors. asked is its PROOF_MAX_SUBSCRIBERS.
func reserveIsKept(t *testing.T, asked string) {
	e2e.NeedDescriptors(t, 2000)
	p := e2e.StartVia(t, []string{"sh", "-c", `ulimit -n 400; exec "$0"`}, e2e.MetricsOn(t), "PROOF_MAX_SUBSCRIBERS="+asked)
	if warned := strings.Contains(p.Stderr.String(), "PROOF_MAX_SUBSCRIBERS is more than"); warned != (asked != "") {
		t.Errorf("got a warning: %v, want %v", warned, !warned)
	}
	room := 400 - 256
	e2e.OpenReaders(t, p.Server, room, "")
	late := e2e.OpenReaders(t, p.Server, 100, "")
	late.Ended(t, waitfor.Patience)
	for _, r := range late.All {
		if r.Status != 200 || r.Kinds["busy"] != 1 || r.Kinds["ready"] != 0 {
			t.Errorf("got %d %v, want busy", r.Status, r.Kinds)
		}
	}
	for path, want := range map[string]int{"/live": 200, "/ready": 200, "/stats": 200, "/": 200} {
		if got := p.Get(t, path).Status; got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
	p.Post(t, "user_name=Ada")
	if n := p.Metric(t, "proofstream_subscribers"); int(n) != room {
		t.Errorf("got %v subscribers, want %d", n, room)
	}
}

// nativePage returns a page that opens an EventSource and records its events in heard.
func nativePage(p *e2e.Program) string {
	return `<!doctype html><title>native</title><script>
heard = []
source = new EventSource("` + p.URL + `/events")
for (const kind of ["ready", "signup", "busy", "retract"])
	source.addEventListener(kind, e => heard.push(kind + " " + e.lastEventId + " " + e.data))
</script>`
}

// Chromium receives busy, and with it the delay, before the end of the stream, which is an error to it. Chromium drops the unread part
// of a response that fails, so the program must not end the stream at once.
func TestBrowserGetsRetryLaterBeforeTheEnd(t *testing.T) {
	e2e.NeedBrowser(t)
	t.Parallel()
	p := e2e.Start(t, "PROOF_MAX_SUBSCRIBERS=1")
	p.Listen(t, "").Ready(t)
	page := e2e.Tab(t, e2e.ServePage(t, `<!doctype html><script>
	let busy = 0, ended = 0
	function connect() {
		const source = new EventSource("`+p.URL+`/events")
		source.addEventListener("busy", () => busy++)
		source.onerror = () => { source.close(); if (++ended < 60) connect() }
	}
	connect()
	</script>`))
	e2e.AwaitJS(t, page, `ended == 60`)
	if got := e2e.Eval[int](t, page, "busy"); got < 59 { // a loaded machine may delay Chromium once
		t.Errorf("%d of 60 streams got busy, want all", got)
	}
}

// A plain EventSource of the browser reconnects by itself when another stream closes.
func TestNativeEventSourceReconnectsOnceThereIsRoom(t *testing.T) {
	e2e.NeedBrowser(t)
	t.Parallel()
	p := e2e.Start(t, "PROOF_MAX_SUBSCRIBERS=1")
	inside := p.Listen(t, "")
	inside.Ready(t)
	page := e2e.Tab(t, e2e.ServePage(t, nativePage(p)))
	e2e.AwaitJS(t, page, `heard.some(h => h.startsWith("busy "))`)
	inside.Close()
	waitfor.Until(t, 40*time.Second+waitfor.Patience, func() bool { return e2e.Eval[bool](t, page, `heard.at(-1).startsWith("ready ")`) }, func() string {
		return fmt.Sprintf("heard only %q, ready state %d", e2e.Eval[[]string](t, page, "heard"), e2e.Eval[int](t, page, "source.readyState"))
	})
	id := p.Post(t, "user_name=Ada")
	e2e.AwaitJS(t, page, `heard.at(-1).startsWith("signup `+id+` ")`)
}

// A plain EventSource reconnects with its last id after a drain and a restart, and gets what it missed, once.
func TestNativeEventSourceReconnectsAfterADrain(t *testing.T) {
	e2e.NeedBrowser(t)
	p := e2e.Start(t, "PROOF_SHUTDOWN_GRACE=2s", "PROOF_RETRY=200ms")
	page := e2e.Tab(t, e2e.ServePage(t, nativePage(p)))
	e2e.AwaitJS(t, page, `heard.length == 1 && heard[0].startsWith("ready ")`)
	p.Term()
	e2e.AwaitJS(t, page, `heard.length >= 2 && heard[1].startsWith("busy ")`)
	if status := p.Wait(); status != 0 {
		t.Errorf("after SIGTERM: status %d", status)
	}
	p = p.Restart()
	id := p.Post(t, "user_name=Ada") // arrives live or in the replay, whichever is first
	e2e.AwaitJS(t, page, `heard.filter(h => h.startsWith("signup `+id+` ")).length == 1`)
	last := p.Post(t, "user_name=Bob")
	e2e.AwaitJS(t, page, `heard.at(-1).startsWith("signup `+last+` ")`)
	signups := e2e.Eval[int](t, page, `heard.filter(h => h.startsWith("signup ")).length`)
	if signups != 2 {
		t.Errorf("got %d signups in %q, want 2", signups, e2e.Eval[[]string](t, page, "heard"))
	}
	e2e.Eval[chromedp.Void](t, page, "source.close()")
	p.AwaitSubscribers(t, 0)
}
