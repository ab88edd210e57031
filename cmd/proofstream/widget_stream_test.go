package main

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// After drops, refusals, a restart and sleep it reconnects with its last id: nothing is missed,
// nothing shown twice.
func TestWidgetComesBack(t *testing.T) {
	t.Parallel()
	p := start(t, "PROOF_RETRY=300ms")
	f := startHTTPProxy(t, p)
	tab := tab(t, servePage(t, widgetPage(f.URL, quick, "")))
	p.awaitSubscribers(t, 1)
	p.post(t, "user_name=before")
	awaitShows(t, tab, 1)
	for i, trouble := range []struct {
		name string
		make func()
	}{
		{"drop", f.CloseClientConnections},
		{"503 of a proxy", func() {
			f.instead("/events", unavailable)
			f.awaitCount(t, "/events", f.count("/events")+2)
			f.instead("/events", nil)
		}},
		{"busy", func() {
			f.instead("/events", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				w.Header().Set("Access-Control-Allow-Origin", "*")
				fmt.Fprint(w, "event: busy\nretry: 100\ndata: {}\n\n")
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			})
			f.awaitCount(t, "/events", f.count("/events")+3)
			f.instead("/events", nil)
		}},
		{"restart", func() { p.kill(); p = p.restart() }},
		{"sleep", func() { eval[chromedp.Void](t, tab, "ahead += 9e4") }},
	} {
		asked := f.count("/events")
		trouble.make()
		p.post(t, "user_name=after "+trouble.name)
		names := awaitShows(t, tab, i+2)
		if got, want := names[i+1], "after "+trouble.name; got != want || len(names) != i+2 {
			t.Errorf("got %v, want one more: %q", names, want)
		}
		f.awaitCount(t, "/events", asked+1)
	}
}

// A page that comes back from the back/forward cache was not kept out of it, and goes on.
func TestWidgetLivesThroughTheBackForwardCache(t *testing.T) {
	t.Parallel()
	p := start(t)
	url := serveFiles(t, map[string]string{"/": widgetPage(p.url, quick, ""), "/next": "<!doctype html><title>Next</title>"})
	tab := tab(t, url)
	p.awaitSubscribers(t, 1)
	p.post(t, "user_name=before")
	awaitShows(t, tab, 1)
	eval[chromedp.Void](t, tab, "addEventListener('pageshow', e => { window.fromCache = e.persisted })")
	if err := chromedp.Do(tab, chromedp.Navigate(url+"next")); err != nil {
		t.Fatal(err)
	}
	p.awaitSubscribers(t, 0)
	p.post(t, "user_name=meanwhile")
	// NavigateBack would wait for a load event, and a page from the cache has none.
	eval[chromedp.Void](t, tab, "setTimeout(() => history.back())")
	p.awaitSubscribers(t, 1)
	p.post(t, "user_name=after")
	names := awaitShows(t, tab, 3)
	if want := []string{"before", "meanwhile", "after"}; !slices.Equal(names, want) || !eval[bool](t, tab, "window.fromCache") {
		t.Errorf("from cache: %v; got %v, want %v", eval[bool](t, tab, "window.fromCache"), names, want)
	}
}

// A signup that is withdrawn leaves the screen, or never gets there.
func TestWidgetRemovesWhatIsRetracted(t *testing.T) {
	t.Parallel()
	p := start(t)
	tab := p.open(t, `data-cooldown="0"`)
	showing, waiting := p.post(t, "user_name=shows"), p.post(t, "user_name=waits")
	p.post(t, "user_name=stays")
	awaitShows(t, tab, 1)
	for _, id := range []string{waiting, showing} {
		if got := p.ask(t, "DELETE", "/signup/"+id, "", "Authorization: Bearer "+p.key).status; got != 204 {
			t.Fatalf("delete: got %d, want 204", got)
		}
	}
	if got, want := fmt.Sprint(awaitShows(t, tab, 2)), "[shows stays]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := eval[string](t, tab, "seen.find(e => e.type == 'close').reason"); got != "retracted" {
		t.Errorf("closed for %q, want retracted", got)
	}
}

// Where something on the way holds the stream back, the newest events come through /recent, and only
// those from then on; also where it does so after a while, at a second attempt.
func TestWidgetFallsBackToRecent(t *testing.T) {
	t.Parallel()
	p := start(t, "PROOF_RETRY=200ms")
	p.post(t, "user_name=past")
	f := startHTTPProxy(t, p)
	f.instead("/events", hang)
	tab := tab(t, servePage(t, widgetPage(f.URL, quick, "")))
	f.awaitCount(t, "/events", 1)
	eval[chromedp.Void](t, tab, "ahead += 21e3")
	f.awaitAnswers(t, "/recent", 1)
	p.post(t, "user_name=live")
	eval[chromedp.Void](t, tab, "ahead += 31e3")
	f.awaitCount(t, "/recent", 2)
	if got, want := fmt.Sprint(awaitShows(t, tab, 1)), "[live]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	f.instead("/events", nil) // the stream is tried all the while
	for range 3 {
		eval[chromedp.Void](t, tab, "ahead += 3e4; new Promise(done => setTimeout(done, 1100))")
	}
	p.awaitSubscribers(t, 1)
	p.post(t, "user_name=streamed")
	if got, want := fmt.Sprint(awaitShows(t, tab, 2)), "[live streamed]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	asked, looked, dropped := f.count("/events"), f.count("/recent"), eval[float64](t, tab, "Date.now()")
	f.instead("/events", hang)
	f.awaitCount(t, "/events", asked+1)
	p.post(t, "user_name=dropped")
	eval[chromedp.Void](t, tab, "ahead += 21e3")
	f.awaitCount(t, "/recent", looked+1)
	if after := eval[float64](t, tab, "Date.now()") - dropped; after > 45e3 {
		t.Errorf("/recent was asked %.0f s after the drop, want 20", after/1000)
	}
	if got, want := fmt.Sprint(awaitShows(t, tab, 3)), "[live streamed dropped]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Live cards do not wait for past ones: where /recent hangs they show all the same, and that request ends after its time.
func TestWidgetDoesNotWaitForThePast(t *testing.T) {
	t.Parallel()
	p := start(t)
	f := startHTTPProxy(t, p)
	ended := make(chan struct{}, 9)
	f.instead("/recent", func(w http.ResponseWriter, r *http.Request) {
		hang(w, r)
		ended <- struct{}{}
	})
	const hasty = `<script>
		const whole = AbortSignal.timeout
		AbortSignal.timeout = ms => whole.call(AbortSignal, ms / 20)
	</script>`
	tab := tab(t, servePage(t, hasty+widgetPage(f.URL, quick+` data-recent="3"`, "")))
	p.awaitSubscribers(t, 1)
	p.post(t, "user_name=live")
	awaitShows(t, tab, 1)
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("/recent is waited for without end")
	}
}

// A frame that is no JSON, of a proxy that meddles, is left out; nothing is thrown into the page.
func TestWidgetIgnoresAFrameThatItCannotRead(t *testing.T) {
	t.Parallel()
	p := start(t)
	frames := make(chan string)
	f := startHTTPProxy(t, p)
	f.instead("/events", made(frames))
	tab := tab(t, servePage(t, widgetPage(f.URL, quick, "")))
	lines := console(t, tab)
	frames <- "event: signup\ndata: <html>\nid: made-2\n\nevent: ready\ndata: null\nid: made-3\n\n"
	frames <- signupFrame("made-4", 0)
	awaitShows(t, tab, 1)
	if got := lines(); len(got) > 0 {
		t.Errorf("the console says %v", got)
	}
}
