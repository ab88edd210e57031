package widget

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// A hidden tab shows nothing. Hidden for long it closes the stream, and on return shows the newest three
// of what came since, whether it had heard of them or not; also where the browser froze it, so that it closed nothing.
func TestWidgetClosesTheStreamWhileHidden(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	const freezer = `<script>
		var frozen = false
		const interval = setInterval
		setInterval = (f, ms) => interval(() => frozen || f(), ms)
	</script>`
	shop := e2e.Tab(t, e2e.ServePage(t, freezer+e2e.WidgetPage(p.URL, e2e.Quick, "")))
	p.AwaitSubscribers(t, 1)
	blank := e2e.Neighbour(t, shop, "about:blank")
	e2e.AwaitHeard(t, shop, p.Post(t, "user_name=waits"))
	if got := e2e.Eval[int](t, shop, "shows().length"); got != 0 {
		t.Errorf("%d cards in a hidden tab", got)
	}
	e2e.Eval[chromedp.Void](t, shop, "ahead = 61e3")
	p.AwaitSubscribers(t, 0)
	p.PostMany(t, "missed", 5)
	e2e.ToFront(t, shop)
	p.AwaitSubscribers(t, 1)
	e2e.AwaitJS(t, shop, "visible.length == 6")
	if got, want := fmt.Sprint(e2e.AwaitShows(t, shop, 3)), "[missed2 missed3 missed4]"; got != want {
		t.Errorf("on return: got %s, want %s", got, want)
	}
	for i, how := range []string{"closed", "frozen"} {
		e2e.ToFront(t, blank)
		e2e.AwaitHeard(t, shop, p.Post(t, "user_name=heard, "+how))
		e2e.Eval[chromedp.Void](t, shop, fmt.Sprintf("frozen = %v; ahead += 61e3", how == "frozen"))
		if how != "frozen" {
			p.AwaitSubscribers(t, 0)
		}
		p.Post(t, "user_name=missed, "+how)
		e2e.ToFront(t, shop)
		e2e.Eval[chromedp.Void](t, shop, "frozen = false")
		if got, want := fmt.Sprint(e2e.AwaitShows(t, shop, 2*i+5)[2*i+3:]), "[heard, "+how+" missed, "+how+"]"; got != want {
			t.Errorf("%s: on return: got %s, want %s", how, got, want)
		}
		e2e.AwaitJS(t, shop, fmt.Sprintf("visible.length == %d", 4*i+10))
	}
	if got := len(e2e.AwaitShows(t, shop, 7)); got != 7 {
		t.Errorf("%d cards, want 7: none twice", got)
	}
}

// A tab hidden for a moment shows on return what came meanwhile.
func TestWidgetKeepsTheStreamThroughAGlanceElsewhere(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	shop := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, e2e.Quick, "")))
	p.AwaitSubscribers(t, 1)
	e2e.Neighbour(t, shop, "about:blank")
	p.PostMany(t, "waits", 2)
	e2e.ToFront(t, shop)
	if got, want := fmt.Sprint(e2e.AwaitShows(t, shop, 2)), "[waits0 waits1]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Twelve tabs over HTTP/1.1, where a browser opens six connections to a host, all load and share one
// stream; when the one that reads it closes, another goes on from there.
func TestWidgetSharesOneStreamAmongTwelveTabs(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	url := e2e.ServePage(t, e2e.WidgetPage(p.URL, e2e.Quick, ""))
	first := e2e.Tab(t, url)
	p.AwaitSubscribers(t, 1)
	last := first
	for range 11 {
		last = e2e.Neighbour(t, last, url)
		e2e.AwaitJS(t, last, "part('card') && !part('card').hidden")
	}
	p.AwaitSubscribers(t, 1)
	p.Post(t, "user_name=Ada")
	e2e.AwaitShows(t, last, 1)
	e2e.Eval[chromedp.Void](t, first, "document.getElementById('proof-popup').destroy()")
	p.Post(t, "user_name=Bob")
	if got, want := fmt.Sprint(e2e.AwaitShows(t, last, 2)), "[Ada Bob]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	p.AwaitSubscribers(t, 1)
}

// The tab that reads the stream for all, hidden for more than a minute, lets another one that is visible read it; that one
// goes on where it was, and on return to the first there is nothing left to show.
func TestWidgetHandsTheStreamToAVisibleTab(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	address := e2e.ServePage(t, e2e.WidgetPage(f.URL, e2e.Quick, ""))
	first := e2e.Tab(t, address)
	p.AwaitSubscribers(t, 1)
	second := e2e.Neighbour(t, first, address)
	e2e.AwaitJS(t, second, "part('card') && !part('card').hidden")
	id := p.Post(t, "user_name=before")
	e2e.AwaitShows(t, second, 1)
	if got := f.Count("/events"); got != 1 {
		t.Fatalf("%d streams of two tabs, want one", got)
	}
	for range 2 { // not by more than a minute at once, which would be sleep
		for _, tab := range []context.Context{first, second} {
			e2e.Eval[chromedp.Void](t, tab, "ahead += 31e3")
		}
		e2e.Eval[chromedp.Void](t, first, "new Promise(done => setTimeout(done, 1100))")
	}
	p.Post(t, "user_name=between")
	f.AwaitCount(t, "/events", 2)
	p.AwaitSubscribers(t, 1)
	if got, want := f.Last("/events"), "last_event_id="+id; !strings.Contains(got, want) {
		t.Errorf("asked for %s, want %s in it", got, want)
	}
	p.Post(t, "user_name=after")
	e2e.AwaitShows(t, second, 3)
	e2e.ToFront(t, first)
	p.Post(t, "user_name=last")
	e2e.AwaitShows(t, first, 1)
	p.Post(t, "user_name=marker")
	e2e.AwaitShows(t, first, 2)
	if got, want := e2e.Eval[string](t, second, names)+"|"+e2e.Eval[string](t, first, names), "before,between,after|last,marker"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	p.AwaitSubscribers(t, 1)
}

// Without Web Locks and BroadcastChannel, and where the visitor's settings refuse locks and storage, visible tabs connect,
// and hidden ones disconnect.
func TestWidgetWithoutWebLocksConnectsVisibleTabs(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"old": "delete Navigator.prototype.locks; delete window.BroadcastChannel",
		"refused": `const refuse = () => { throw new DOMException('refused', 'SecurityError') }
			LockManager.prototype.request = async () => refuse()
			for (const area of ['localStorage', 'sessionStorage']) Object.defineProperty(window, area, {get: refuse})`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := e2e.Start(t)
			url := e2e.ServePage(t, "<script>"+script+"</script>"+e2e.WidgetPage(p.URL, e2e.Quick, ""))
			first := e2e.Tab(t, url)
			p.AwaitSubscribers(t, 1)
			second := e2e.Neighbour(t, first, url)
			e2e.AwaitJS(t, second, "part('card') && !part('card').hidden")
			p.AwaitSubscribers(t, 1)
			p.Post(t, "user_name=Ada")
			e2e.AwaitShows(t, second, 1)
			e2e.ToFront(t, first)
			p.AwaitSubscribers(t, 1)
			p.Post(t, "user_name=Bob")
			if got, want := fmt.Sprint(e2e.AwaitShows(t, first, 1)), "[Bob]"; got != want {
				t.Errorf("the other tab: got %s, want %s", got, want)
			}
		})
	}
}

// A card once seen is not shown again: not after a reload, not in another tab.
func TestWidgetShowsACardOnce(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	url := e2e.ServePage(t, e2e.WidgetPage(p.URL, e2e.Quick+` data-recent="3"`, ""))
	first := e2e.Tab(t, url)
	p.AwaitSubscribers(t, 1)
	p.Post(t, "user_name=Ada")
	e2e.AwaitShows(t, first, 1)
	e2e.Reload(t, first)
	p.AwaitSubscribers(t, 1)
	second := e2e.Sibling(t, first, url)
	e2e.AwaitJS(t, second, "part('card') && !part('card').hidden")
	shown := func() []string {
		return append(e2e.Eval[[]string](t, first, "shows().map(e => e.user_name)"), e2e.Eval[[]string](t, second, "shows().map(e => e.user_name)")...)
	}
	for i, name := range []string{"Bob", "marker"} {
		p.Post(t, "user_name="+name)
		waitfor.Until(t, waitfor.Patience, func() bool { return len(shown()) > i }, func() string { return name + " is not shown" })
	}
	if got := slices.Sorted(slices.Values(shown())); !slices.Equal(got, []string{"Bob", "marker"}) {
		t.Errorf("after the reload the two tabs showed %v, want Bob and marker once", got)
	}
}

// Closed for the session, the other tabs that are open stay silent too.
func TestWidgetClosedForTheSessionIsClosedInOpenTabs(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	url := e2e.ServePage(t, e2e.WidgetPage(p.URL, e2e.Quick, ""))
	first := e2e.Tab(t, url)
	p.AwaitSubscribers(t, 1)
	second := e2e.Neighbour(t, first, url)
	e2e.AwaitJS(t, second, "part('card') && !part('card').hidden")
	p.Post(t)
	e2e.AwaitShows(t, second, 1)
	e2e.Eval[chromedp.Void](t, second, "part('close').click()")
	p.AwaitSubscribers(t, 0) // none of the tabs listens any more
	e2e.ToFront(t, first)
	p.Post(t)
	e2e.Settle(t, first)
	if got := e2e.Eval[int](t, first, "shows().length"); got != 0 {
		t.Errorf("the other tab showed %d cards", got)
	}
}
