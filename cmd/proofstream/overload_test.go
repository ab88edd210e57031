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

func TestFullHouseAnswersBusy(t *testing.T) {
	p := start(t, "PROOF_MAX_SUBSCRIBERS=3")
	inside := gather(t, p, 3, "")
	retries := map[int]bool{}
	for range 20 {
		s := p.listen(t, "", "Last-Event-ID: keep-1")
		end := s.ended(t)
		got := s.seen()
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
	descriptors(t, 2000)
	metrics := freeAddress(t)
	p := startVia(t, []string{"sh", "-c", `ulimit -n 400; exec "$0"`}, "PROOF_METRICS_ADDR="+metrics, "PROOF_MAX_SUBSCRIBERS="+asked)
	if warned := strings.Contains(p.stderr.String(), "PROOF_MAX_SUBSCRIBERS is more than"); warned != (asked != "") {
		t.Errorf("a warning: %v, want %v", warned, !warned)
	}
	room := 400 - 256
	gather(t, p, room, "")
	late := gather(t, p, 100, "")
	late.ended(t, patience)
	for _, m := range late.all {
		if m.status != 200 || m.kinds["busy"] != 1 || m.kinds["ready"] != 0 {
			t.Errorf("got %d %v, want busy", m.status, m.kinds)
		}
	}
	for path, want := range map[string]int{"/live": 200, "/ready": 200, "/stats": 200, "/": 200} {
		if got := p.get(t, path).status; got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
	p.post(t, "user_name=Ada")
	m := &program{url: "http://" + metrics}
	if a := m.get(t, "/metrics"); a.status != 200 || !strings.Contains(a.body, fmt.Sprintf(`proofstream_subscribers{site="default"} %d`, room)) {
		t.Errorf("got %d %.2000s, want %d subscribers", a.status, a.body, room)
	}
}

// nativePage opens an EventSource as any page might, and notes what it hears.
func nativePage(p *program) string {
	return `<!doctype html><title>native</title><script>
heard = []; messages = 0
source = new EventSource("` + p.url + `/events")
for (const kind of ["ready", "signup", "busy", "retract"])
	source.addEventListener(kind, e => heard.push(kind + " " + e.lastEventId + " " + e.data))
source.onmessage = () => messages++
</script>`
}

// Every browser hears when to come back, though the end that follows is an error to it: Chromium drops what it has not
// taken of a response when that fails.
func TestBrowserHearsBusyBeforeTheEnd(t *testing.T) {
	needBrowser(t)
	t.Parallel()
	p := start(t, "PROOF_MAX_SUBSCRIBERS=1")
	p.listen(t, "").ready(t)
	page := tab(t, servePage(t, `<!doctype html><script>
	let told = 0, ended = 0
	function come() {
		const source = new EventSource("`+p.url+`/events")
		source.addEventListener("busy", () => told++)
		source.onerror = () => { source.close(); if (++ended < 60) come() }
	}
	come()
	</script>`))
	awaitJS(t, page, `ended == 60`)
	if told := eval[int](t, page, "told"); told < 59 { // one time it may be too busy itself
		t.Errorf("%d of 60 heard busy, want all", told)
	}
}

// The browser's own EventSource, without any script of ours, comes back by itself after a full house.
func TestNativeEventSourceReturnsAfterAFullHouse(t *testing.T) {
	needBrowser(t)
	t.Parallel()
	p := start(t, "PROOF_MAX_SUBSCRIBERS=1")
	inside := p.listen(t, "")
	inside.ready(t)
	page := tab(t, servePage(t, nativePage(p)))
	awaitJS(t, page, `heard.some(h => h.startsWith("busy "))`)
	inside.close()
	for deadline := time.Now().Add(40*time.Second + patience); !eval[bool](t, page, `heard.at(-1).startsWith("ready ")`); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("heard only %q, ready state %d", eval[[]string](t, page, "heard"), eval[int](t, page, "source.readyState"))
		}
	}
	id := p.post(t, "user_name=Ada")
	awaitJS(t, page, `heard.at(-1).startsWith("signup `+id+` ")`)
}

// After a drain and a restart it comes back with its last id, and gets what it missed, once. Nothing of ours, the
// heartbeat least of all, is a message to it.
func TestNativeEventSourceReturnsAfterADrain(t *testing.T) {
	needBrowser(t)
	p := start(t, "PROOF_SHUTDOWN_GRACE=2s", "PROOF_RETRY=200ms", "PROOF_HEARTBEAT=50ms")
	page := tab(t, servePage(t, nativePage(p)))
	awaitJS(t, page, `heard.length == 1 && heard[0].startsWith("ready ")`)
	p.term()
	awaitJS(t, page, `heard.length >= 2 && heard[1].startsWith("busy ")`)
	if status := p.wait(); status != 0 {
		t.Errorf("got status %d", status)
	}
	p = p.restart()
	id := p.post(t, "user_name=Ada") // seen live or as missed, as the page is faster or slower
	awaitJS(t, page, `heard.filter(h => h.startsWith("signup `+id+` ")).length == 1`)
	last := p.post(t, "user_name=Bob")
	awaitJS(t, page, `heard.at(-1).startsWith("signup `+last+` ")`)
	signups := eval[int](t, page, `heard.filter(h => h.startsWith("signup ")).length`)
	if messages := eval[int](t, page, "messages"); signups != 2 || messages != 0 {
		t.Errorf("got %d signups and %d messages in %q, want 2 and none", signups, messages, eval[[]string](t, page, "heard"))
	}
	eval[chromedp.Void](t, page, "source.close()")
	until(t, patience, func() bool { return strings.HasPrefix(p.get(t, "/stats").body, `{"subscribers":0,`) },
		func() string { return "the page has left, and " + p.get(t, "/stats").body })
}
