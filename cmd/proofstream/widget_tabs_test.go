package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// A hidden tab shows nothing. Hidden for long it closes the stream, and on return shows the newest three
// of what came since, whether it had heard of them or not; also where the browser froze it, so that it closed nothing.
func TestWidgetClosesTheStreamWhileHidden(t *testing.T) {
	t.Parallel()
	p := start(t)
	const freezer = `<script>
		var frozen = false
		const interval = setInterval
		setInterval = (f, ms) => interval(() => frozen || f(), ms)
	</script>`
	shop := tab(t, servePage(t, freezer+widgetPage(p.url, quick, "")))
	p.awaitSubscribers(t, 1)
	blank := neighbour(t, shop, "about:blank")
	awaitHeard(t, shop, p.post(t, "user_name=waits"))
	if got := eval[int](t, shop, "shows().length"); got != 0 {
		t.Errorf("%d cards in a hidden tab", got)
	}
	eval[chromedp.Void](t, shop, "ahead = 61e3")
	p.awaitSubscribers(t, 0)
	p.postMany(t, "missed", 5)
	toFront(t, shop)
	p.awaitSubscribers(t, 1)
	awaitJS(t, shop, "visible.length == 6")
	if got, want := fmt.Sprint(awaitShows(t, shop, 3)), "[missed2 missed3 missed4]"; got != want {
		t.Errorf("on return: got %s, want %s", got, want)
	}
	for i, how := range []string{"closed", "frozen"} {
		toFront(t, blank)
		awaitHeard(t, shop, p.post(t, "user_name=heard, "+how))
		eval[chromedp.Void](t, shop, fmt.Sprintf("frozen = %v; ahead += 61e3", how == "frozen"))
		if how != "frozen" {
			p.awaitSubscribers(t, 0)
		}
		p.post(t, "user_name=missed, "+how)
		toFront(t, shop)
		eval[chromedp.Void](t, shop, "frozen = false")
		if got, want := fmt.Sprint(awaitShows(t, shop, 2*i+5)[2*i+3:]), "[heard, "+how+" missed, "+how+"]"; got != want {
			t.Errorf("%s: on return: got %s, want %s", how, got, want)
		}
		awaitJS(t, shop, fmt.Sprintf("visible.length == %d", 4*i+10))
	}
	if got := len(awaitShows(t, shop, 7)); got != 7 {
		t.Errorf("%d cards, want 7: none twice", got)
	}
}

// A tab hidden for a moment shows on return what came meanwhile.
func TestWidgetKeepsTheStreamThroughAGlanceElsewhere(t *testing.T) {
	t.Parallel()
	p := start(t)
	shop := tab(t, servePage(t, widgetPage(p.url, quick, "")))
	p.awaitSubscribers(t, 1)
	neighbour(t, shop, "about:blank")
	p.postMany(t, "waits", 2)
	toFront(t, shop)
	if got, want := fmt.Sprint(awaitShows(t, shop, 2)), "[waits0 waits1]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Twelve tabs over HTTP/1.1, where a browser opens six connections to a host, all load and share one
// stream; when the one that reads it closes, another goes on from there.
func TestWidgetSharesOneStreamAmongTwelveTabs(t *testing.T) {
	t.Parallel()
	p := start(t)
	url := servePage(t, widgetPage(p.url, quick, ""))
	first := tab(t, url)
	p.awaitSubscribers(t, 1)
	last := first
	for range 11 {
		last = neighbour(t, last, url)
		awaitJS(t, last, "part('card') && !part('card').hidden")
	}
	p.awaitSubscribers(t, 1)
	p.post(t, "user_name=Ada")
	awaitShows(t, last, 1)
	eval[chromedp.Void](t, first, "document.getElementById('proof-popup').destroy()")
	p.post(t, "user_name=Bob")
	if got, want := fmt.Sprint(awaitShows(t, last, 2)), "[Ada Bob]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	p.awaitSubscribers(t, 1)
}

// The tab that reads the stream for all, hidden for more than a minute, lets another one that is visible read it; that one
// goes on where it was, and on return to the first there is nothing left to show.
func TestWidgetHandsTheStreamToAVisibleTab(t *testing.T) {
	t.Parallel()
	p := start(t)
	f := startHTTPProxy(t, p)
	address := servePage(t, widgetPage(f.URL, quick, ""))
	first := tab(t, address)
	p.awaitSubscribers(t, 1)
	second := neighbour(t, first, address)
	awaitJS(t, second, "part('card') && !part('card').hidden")
	id := p.post(t, "user_name=before")
	awaitShows(t, second, 1)
	if got := f.count("/events"); got != 1 {
		t.Fatalf("%d streams of two tabs, want one", got)
	}
	for range 2 { // not by more than a minute at once, which would be sleep
		for _, tab := range []context.Context{first, second} {
			eval[chromedp.Void](t, tab, "ahead += 31e3")
		}
		eval[chromedp.Void](t, first, "new Promise(done => setTimeout(done, 1100))")
	}
	p.post(t, "user_name=between")
	f.awaitCount(t, "/events", 2)
	p.awaitSubscribers(t, 1)
	if got, want := f.last("/events"), "last_event_id="+id; !strings.Contains(got, want) {
		t.Errorf("asked for %s, want %s in it", got, want)
	}
	p.post(t, "user_name=after")
	awaitShows(t, second, 3)
	toFront(t, first)
	p.post(t, "user_name=last")
	awaitShows(t, first, 1)
	p.post(t, "user_name=marker")
	awaitShows(t, first, 2)
	if got, want := eval[string](t, second, names)+"|"+eval[string](t, first, names), "before,between,after|last,marker"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	p.awaitSubscribers(t, 1)
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
			p := start(t)
			url := servePage(t, "<script>"+script+"</script>"+widgetPage(p.url, quick, ""))
			first := tab(t, url)
			p.awaitSubscribers(t, 1)
			second := neighbour(t, first, url)
			awaitJS(t, second, "part('card') && !part('card').hidden")
			p.awaitSubscribers(t, 1)
			p.post(t, "user_name=Ada")
			awaitShows(t, second, 1)
			toFront(t, first)
			p.awaitSubscribers(t, 1)
			p.post(t, "user_name=Bob")
			if got, want := fmt.Sprint(awaitShows(t, first, 1)), "[Bob]"; got != want {
				t.Errorf("the other tab: got %s, want %s", got, want)
			}
		})
	}
}

// A card once seen is not shown again: not after a reload, not in another tab.
func TestWidgetShowsACardOnce(t *testing.T) {
	t.Parallel()
	p := start(t)
	url := servePage(t, widgetPage(p.url, quick+` data-recent="3"`, ""))
	first := tab(t, url)
	p.awaitSubscribers(t, 1)
	p.post(t, "user_name=Ada")
	awaitShows(t, first, 1)
	reload(t, first)
	p.awaitSubscribers(t, 1)
	second := sibling(t, first, url)
	awaitJS(t, second, "part('card') && !part('card').hidden")
	shown := func() []string {
		return append(eval[[]string](t, first, "shows().map(e => e.user_name)"), eval[[]string](t, second, "shows().map(e => e.user_name)")...)
	}
	for i, name := range []string{"Bob", "marker"} {
		p.post(t, "user_name="+name)
		until(t, patience, func() bool { return len(shown()) > i }, func() string { return name + " is not shown" })
	}
	if got := slices.Sorted(slices.Values(shown())); !slices.Equal(got, []string{"Bob", "marker"}) {
		t.Errorf("after the reload the two tabs showed %v, want Bob and marker once", got)
	}
}

// Closed for the session, the other tabs that are open stay silent too.
func TestWidgetClosedForTheSessionIsClosedInOpenTabs(t *testing.T) {
	t.Parallel()
	p := start(t)
	url := servePage(t, widgetPage(p.url, quick, ""))
	first := tab(t, url)
	p.awaitSubscribers(t, 1)
	second := neighbour(t, first, url)
	awaitJS(t, second, "part('card') && !part('card').hidden")
	p.post(t)
	awaitShows(t, second, 1)
	eval[chromedp.Void](t, second, "part('close').click()")
	p.awaitSubscribers(t, 0) // none of the tabs listens any more
	toFront(t, first)
	p.post(t)
	settle(t, first)
	if got := eval[int](t, first, "shows().length"); got != 0 {
		t.Errorf("the other tab showed %d cards", got)
	}
}
