package widget

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// noRoom is the response of a full house, with a short delay.
func noRoom(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	fmt.Fprint(w, "event: busy\nretry: 100\ndata: {}\n\n")
	w.(http.Flusher).Flush()
	time.Sleep(250 * time.Millisecond) // as the service does, so that the browser hears it
	panic(http.ErrAbortHandler)
}

// The widget reconnects with its last id after disconnects, refusals, a restart and sleep, and shows each signup once.
func TestWidgetReconnects(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_RETRY=300ms")
	f := e2e.StartHTTPProxy(t, p)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.FastClock+e2e.WidgetPage(f.URL, e2e.Quick, "")))
	p.AwaitSubscribers(t, 1)
	p.Post(t, "user_name=before")
	e2e.AwaitShows(t, tab, 1)
	for i, fault := range []struct {
		name   string
		inject func()
	}{
		{"drop", f.CloseClientConnections},
		{"503 of a proxy", func() {
			f.Replace("/events", e2e.Unavailable)
			f.AwaitCount(t, "/events", f.Count("/events")+2)
			f.Replace("/events", nil)
		}},
		{"busy", func() {
			f.Replace("/events", noRoom)
			f.AwaitCount(t, "/events", f.Count("/events")+2)
			e2e.AwaitJS(t, tab, "heard.slice(-2).every(frame => frame.startsWith('busy'))")
			f.Replace("/events", nil)
			e2e.PassTime(t, tab, 30*time.Second) // the longest that the widget waits for room
		}},
		{"restart", func() { p.Kill(); p = p.Restart() }},
		{"sleep", func() { e2e.Eval[chromedp.Void](t, tab, "ahead += 9e4") }},
	} {
		before := f.Count("/events")
		fault.inject()
		p.Post(t, "user_name=after "+fault.name)
		names := e2e.AwaitShows(t, tab, i+2)
		if got, want := names[i+1], "after "+fault.name; got != want || len(names) != i+2 {
			t.Errorf("got %v, want one more: %q", names, want)
		}
		f.AwaitCount(t, "/events", before+1)
	}
}

// The widget does not keep the page out of the back/forward cache, and continues when the page is restored from it.
func TestWidgetLivesThroughTheBackForwardCache(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	url := e2e.ServeFiles(t, map[string]string{"/": e2e.WidgetPage(p.URL, e2e.Quick, ""), "/next": "<!doctype html><title>Next</title>"})
	tab := e2e.Tab(t, url)
	p.AwaitSubscribers(t, 1)
	p.Post(t, "user_name=before")
	e2e.AwaitShows(t, tab, 1)
	e2e.Eval[chromedp.Void](t, tab, "addEventListener('pageshow', e => { window.fromCache = e.persisted })")
	if err := chromedp.Do(tab, chromedp.Navigate(url+"next")); err != nil {
		t.Fatal(err)
	}
	p.AwaitSubscribers(t, 0)
	p.Post(t, "user_name=meanwhile")
	// chromedp.NavigateBack waits for a load event, which a page from the cache does not have.
	e2e.Eval[chromedp.Void](t, tab, "setTimeout(() => history.back())")
	p.AwaitSubscribers(t, 1)
	p.Post(t, "user_name=after")
	names := e2e.AwaitShows(t, tab, 3)
	if want := []string{"before", "meanwhile", "after"}; !slices.Equal(names, want) || !e2e.Eval[bool](t, tab, "window.fromCache") {
		t.Errorf("from cache: %v; got %v, want %v", e2e.Eval[bool](t, tab, "window.fromCache"), names, want)
	}
}

// An erased signup disappears from the page, or is not shown if it is waiting.
func TestWidgetRemovesWhatIsRetracted(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, `data-cooldown="0"`)
	showing, waiting := p.Post(t, "user_name=shows"), p.Post(t, "user_name=waits")
	p.Post(t, "user_name=stays")
	e2e.AwaitShows(t, tab, 1)
	for _, id := range []string{waiting, showing} {
		if got := p.Request(t, "DELETE", "/signup/"+id, "", "Authorization: Bearer "+p.Key).Status; got != 204 {
			t.Fatalf("delete: got %d, want 204", got)
		}
	}
	if got, want := fmt.Sprint(e2e.AwaitShows(t, tab, 2)), "[shows stays]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := e2e.Eval[string](t, tab, "seen.find(e => e.type == 'close').reason"); got != "retracted" {
		t.Errorf("closed for %q, want retracted", got)
	}
}

// Where a proxy holds the stream back, the widget polls /recent and shows the events since the page was opened, also when the proxy starts
// to hold it back later. It keeps trying the stream.
func TestWidgetFallsBackToRecent(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_RETRY=200ms")
	p.Post(t, "user_name=past")
	f := e2e.StartHTTPProxy(t, p)
	f.Replace("/events", e2e.Hang)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(f.URL, e2e.Quick, "")))
	f.AwaitCount(t, "/events", 1)
	e2e.Eval[chromedp.Void](t, tab, "ahead += 21e3")
	f.AwaitResponses(t, "/recent", 1)
	p.Post(t, "user_name=live")
	e2e.Eval[chromedp.Void](t, tab, "ahead += 31e3")
	f.AwaitCount(t, "/recent", 2)
	if got, want := fmt.Sprint(e2e.AwaitShows(t, tab, 1)), "[live]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	f.Replace("/events", nil) // the widget still tries the stream
	for range 3 {
		e2e.Eval[chromedp.Void](t, tab, "ahead += 3e4; new Promise(done => setTimeout(done, 1100))")
	}
	p.AwaitSubscribers(t, 1)
	p.Post(t, "user_name=streamed")
	if got, want := fmt.Sprint(e2e.AwaitShows(t, tab, 2)), "[live streamed]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	streams, polls, dropped := f.Count("/events"), f.Count("/recent"), e2e.Eval[float64](t, tab, "Date.now()")
	f.Replace("/events", e2e.Hang)
	f.AwaitCount(t, "/events", streams+1)
	p.Post(t, "user_name=dropped")
	e2e.Eval[chromedp.Void](t, tab, "ahead += 21e3")
	f.AwaitCount(t, "/recent", polls+1)
	if after := e2e.Eval[float64](t, tab, "Date.now()") - dropped; after > 45e3 {
		t.Errorf("/recent was requested %.0f s after the drop, want 20", after/1000)
	}
	if got, want := fmt.Sprint(e2e.AwaitShows(t, tab, 3)), "[live streamed dropped]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Live cards show while the request for past events hangs, and that request times out.
func TestWidgetDoesNotWaitForPastEvents(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	ended := make(chan struct{}, 9)
	f.Replace("/recent", func(w http.ResponseWriter, r *http.Request) {
		e2e.Hang(w, r)
		ended <- struct{}{}
	})
	const shortAbort = `<script>
		const whole = AbortSignal.timeout
		AbortSignal.timeout = ms => whole.call(AbortSignal, ms / 20)
	</script>`
	tab := e2e.Tab(t, e2e.ServePage(t, shortAbort+e2e.WidgetPage(f.URL, e2e.Quick+` data-recent="3"`, "")))
	p.AwaitSubscribers(t, 1)
	p.Post(t, "user_name=live")
	e2e.AwaitShows(t, tab, 1)
	select {
	case <-ended:
	case <-time.After(waitfor.Patience):
		t.Error("the request for /recent does not time out")
	}
}

// The widget ignores a frame that is not JSON, which a proxy may insert. It throws no error into the page.
func TestWidgetIgnoresInvalidFrames(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	frames := make(chan string)
	f := e2e.StartHTTPProxy(t, p)
	f.Replace("/events", e2e.FakeStream(frames))
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(f.URL, e2e.Quick, "")))
	lines := console(t, tab)
	frames <- "event: signup\ndata: <html>\nid: made-2\n\nevent: ready\ndata: null\nid: made-3\n\n"
	frames <- e2e.SignupFrame("made-4", 0)
	e2e.AwaitShows(t, tab, 1)
	if got := lines(); len(got) > 0 {
		t.Errorf("the console says %v", got)
	}
}

// A page whose monitoring agent adds headers to each request, in a browser without AbortSignal.timeout, still shows signups from /recent
// where the stream is held back.
func TestWidgetFallsBackToRecentUnderAMonitoringAgent(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	f.Replace("/events", e2e.Hang)
	const agent = `<script>delete AbortSignal.timeout; const plain = fetch
		window.fetch = (url, options) => plain(url, {...options, headers: {traceparent: '00-1-1-01', baggage: 'a=b'}})</script>`
	tab := e2e.Tab(t, e2e.ServePage(t, agent+e2e.FastClock+e2e.WidgetPage(f.URL, e2e.Quick, "")))
	f.AwaitCount(t, "/events", 1)
	e2e.PassTime(t, tab, 25*time.Second)
	f.AwaitResponses(t, "/recent", 1)
	p.Post(t, "user_name=live")
	e2e.PassTime(t, tab, 35*time.Second)
	if got, want := fmt.Sprint(e2e.AwaitShows(t, tab, 1)), "[live]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// On a fresh stream whatever follows is live, though the clock that stamps events is behind the one that tells the time: those of a
// cluster's log and of the service may differ.
func TestWidgetTakesNoLiveSignupForAPastOne(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	frames := make(chan string, 2)
	f.Replace("/events", e2e.FakeStream(frames))
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(f.URL, e2e.Quick, "")))
	frames <- e2e.SignupFrame("made-2", 5*time.Second, "user_name=early")
	frames <- e2e.SignupFrame("made-3", 4*time.Second, "user_name=next")
	if got, want := fmt.Sprint(e2e.AwaitShows(t, tab, 2)), "[early next]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A page counts as idle, as crawlers and tests of its owner wait for, before the stream opens: a second after load.
func TestWidgetOpensItsStreamAfterThePageIsIdle(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := e2e.Tab(t, e2e.ServePage(t, `<script>addEventListener('load', () => window.loadedAt = performance.now())</script>`+e2e.WidgetPage(p.URL, "", "")))
	e2e.AwaitJS(t, tab, "opened.length")
	if got := e2e.Eval[float64](t, tab, "opened[0] - loadedAt"); got < 900 {
		t.Errorf("the stream opened %v ms after load, want about a second", got)
	}
}
