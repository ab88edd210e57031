package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

func TestStreamBeyondTheLimitIsToldToRetryLater(t *testing.T) {
	p := start(t, "PROOF_MAX_SUBSCRIBERS=3")
	inside := openReaders(t, p.server, 3, "")
	retries := map[int]bool{}
	for range 20 {
		s := p.listen(t, "", "Last-Event-ID: keep-1")
		end := s.ended(t)
		got := s.received()
		if end.status != 200 || !errors.Is(end.err, io.ErrUnexpectedEOF) || len(got) != 1 || got[0].kind != "busy" || got[0].data != "{}" || got[0].id != "" {
			t.Fatalf("got %+v after %+v, want only busy, then an end without the final chunk", end, got)
		}
		ms := int(s.retry.Milliseconds())
		if ms < 5000 || ms > 30_000 {
			t.Errorf("got retry %d, want 5 to 30 s", ms)
		}
		retries[ms] = true
	}
	if len(retries) < 10 {
		t.Errorf("got retries %v, want them spread", retries)
	}
	p.post(t, "user_name=Ada")
	inside.await(t, 1, patience)
	inside.close()
	s := p.follow(t, "")
	s.await(t, "room again", func() bool { return len(ofKind(s.events, "ready")) > 0 })
}

// With as many streams as the limit of descriptors allows, everything else still works.
func TestDescriptorsAreKeptInReserve(t *testing.T) {
	for name, asked := range map[string]string{"by default": "", "though more were asked for": "5000"} {
		t.Run(name, func(t *testing.T) { reserveIsKept(t, asked) })
	}
}

func reserveIsKept(t *testing.T, asked string) {
	needDescriptors(t, 2000)
	p := startVia(t, []string{"sh", "-c", `ulimit -n 400; exec "$0"`}, metricsOn(t), "PROOF_MAX_SUBSCRIBERS="+asked)
	if warned := strings.Contains(p.stderr.String(), "PROOF_MAX_SUBSCRIBERS is more than"); warned != (asked != "") {
		t.Errorf("a warning: %v, want %v", warned, !warned)
	}
	room := 400 - 256
	openReaders(t, p.server, room, "")
	late := openReaders(t, p.server, 100, "")
	late.ended(t, patience)
	for _, r := range late.all {
		if r.status != 200 || r.kinds["busy"] != 1 || r.kinds["ready"] != 0 {
			t.Errorf("got %d %v, want busy", r.status, r.kinds)
		}
	}
	for path, want := range map[string]int{"/live": 200, "/ready": 200, "/stats": 200, "/": 200} {
		if got := p.get(t, path).status; got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
	p.post(t, "user_name=Ada")
	if n := p.metric(t, "proofstream_subscribers"); int(n) != room {
		t.Errorf("got %v subscribers, want %d", n, room)
	}
}

// nativePage opens an EventSource as any page might, and notes what it hears.
func nativePage(p *program) string {
	return `<!doctype html><title>native</title><script>
heard = []
source = new EventSource("` + p.url + `/events")
for (const kind of ["ready", "signup", "busy", "retract"])
	source.addEventListener(kind, e => heard.push(kind + " " + e.lastEventId + " " + e.data))
</script>`
}

// Every browser gets the delay before a reconnection, though the end that follows is an error to it: Chromium drops what it has not
// taken of a response when that fails.
func TestBrowserGetsRetryLaterBeforeTheEnd(t *testing.T) {
	needBrowser(t)
	t.Parallel()
	p := start(t, "PROOF_MAX_SUBSCRIBERS=1")
	p.listen(t, "").ready(t)
	page := tab(t, servePage(t, `<!doctype html><script>
	let asked = 0, ended = 0
	function connect() {
		const source = new EventSource("`+p.url+`/events")
		source.addEventListener("busy", () => asked++)
		source.onerror = () => { source.close(); if (++ended < 60) connect() }
	}
	connect()
	</script>`))
	awaitJS(t, page, `ended == 60`)
	if asked := eval[int](t, page, "asked"); asked < 59 { // one time it may be too busy itself
		t.Errorf("%d of 60 got busy, want all", asked)
	}
}

// The browser's own EventSource, without any script of ours, reconnects by itself once there is room.
func TestNativeEventSourceReconnectsOnceThereIsRoom(t *testing.T) {
	needBrowser(t)
	t.Parallel()
	p := start(t, "PROOF_MAX_SUBSCRIBERS=1")
	inside := p.listen(t, "")
	inside.ready(t)
	page := tab(t, servePage(t, nativePage(p)))
	awaitJS(t, page, `heard.some(h => h.startsWith("busy "))`)
	inside.close()
	until(t, 40*time.Second+patience, func() bool { return eval[bool](t, page, `heard.at(-1).startsWith("ready ")`) }, func() string {
		return fmt.Sprintf("heard only %q, ready state %d", eval[[]string](t, page, "heard"), eval[int](t, page, "source.readyState"))
	})
	id := p.post(t, "user_name=Ada")
	awaitJS(t, page, `heard.at(-1).startsWith("signup `+id+` ")`)
}

// After a drain and a restart it reconnects with its last id, and gets what it missed, once.
func TestNativeEventSourceReconnectsAfterADrain(t *testing.T) {
	needBrowser(t)
	p := start(t, "PROOF_SHUTDOWN_GRACE=2s", "PROOF_RETRY=200ms")
	page := tab(t, servePage(t, nativePage(p)))
	awaitJS(t, page, `heard.length == 1 && heard[0].startsWith("ready ")`)
	p.term()
	awaitJS(t, page, `heard.length >= 2 && heard[1].startsWith("busy ")`)
	if status := p.wait(); status != 0 {
		t.Errorf("after SIGTERM: status %d", status)
	}
	p = p.restart()
	id := p.post(t, "user_name=Ada") // seen live or as missed, as the page is faster or slower
	awaitJS(t, page, `heard.filter(h => h.startsWith("signup `+id+` ")).length == 1`)
	last := p.post(t, "user_name=Bob")
	awaitJS(t, page, `heard.at(-1).startsWith("signup `+last+` ")`)
	signups := eval[int](t, page, `heard.filter(h => h.startsWith("signup ")).length`)
	if signups != 2 {
		t.Errorf("got %d signups in %q, want 2", signups, eval[[]string](t, page, "heard"))
	}
	eval[chromedp.Void](t, page, "source.close()")
	p.awaitSubscribers(t, 0)
}
