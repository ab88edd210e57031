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

// A hidden tab shows no card. After a minute it closes the stream. When it is visible again it shows the newest three events since it was
// hidden, received or not. This also holds for a tab that the browser froze before it could close the stream.
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
	blank := e2e.NewTab(t, shop, "about:blank")
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

// A tab that was hidden for a moment shows what arrived meanwhile.
func TestWidgetKeepsTheStreamThroughAGlanceElsewhere(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	shop := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, e2e.Quick, "")))
	p.AwaitSubscribers(t, 1)
	e2e.NewTab(t, shop, "about:blank")
	p.PostMany(t, "waits", 2)
	e2e.ToFront(t, shop)
	if got, want := fmt.Sprint(e2e.AwaitShows(t, shop, 2)), "[waits0 waits1]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Twelve tabs over HTTP/1.1, where a browser opens six connections to a host, load and share one stream. When the leader tab leaves, another
// tab continues from its last id.
func TestWidgetSharesOneStreamAmongTwelveTabs(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	url := e2e.ServePage(t, e2e.WidgetPage(p.URL, e2e.Quick, ""))
	first := e2e.Tab(t, url)
	p.AwaitSubscribers(t, 1)
	last := first
	for range 11 {
		last = e2e.NewTab(t, last, url)
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

// A leader tab that is hidden for more than a minute hands the stream to a visible tab. That tab resumes from the last id, and the first tab
// has nothing left to show when it is visible again.
func TestWidgetHandsTheStreamToAVisibleTab(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	address := e2e.ServePage(t, e2e.WidgetPage(f.URL, e2e.Quick, ""))
	first := e2e.Tab(t, address)
	p.AwaitSubscribers(t, 1)
	second := e2e.NewTab(t, first, address)
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
	p.Post(t, "user_name=handed over")
	f.AwaitCount(t, "/events", 2)
	p.AwaitSubscribers(t, 1)
	if got, want := f.Last("/events"), "last_event_id="+id; !strings.Contains(got, want) {
		t.Errorf("requested %s, want %s in it", got, want)
	}
	p.Post(t, "user_name=after")
	e2e.AwaitShows(t, second, 3)
	e2e.ToFront(t, first)
	p.Post(t, "user_name=last")
	e2e.AwaitShows(t, first, 1)
	p.Post(t, "user_name=marker")
	e2e.AwaitShows(t, first, 2)
	if got, want := e2e.Eval[string](t, second, names)+"|"+e2e.Eval[string](t, first, names), "before,handed over,after|last,marker"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	p.AwaitSubscribers(t, 1)
}

// Where Web Locks and BroadcastChannel are missing, or the visitor's settings refuse locks and storage, visible tabs connect and hidden tabs
// disconnect.
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
			second := e2e.NewTab(t, first, url)
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

// A card shows once per browser: not again after a reload or in another tab.
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
	second := e2e.NewWindow(t, first, url)
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

// Closing the card for the session ends the cards in other open tabs too.
func TestWidgetClosedForTheSessionIsClosedInOpenTabs(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	url := e2e.ServePage(t, e2e.FastClock+e2e.WidgetPage(f.URL, `data-duration="60000"`, ""))
	first := e2e.Tab(t, url)
	p.AwaitSubscribers(t, 1)
	second := e2e.NewTab(t, first, url)
	e2e.AwaitJS(t, second, "part('card') && !part('card').hidden")
	p.Post(t)
	e2e.AwaitShows(t, second, 1)
	e2e.Eval[chromedp.Void](t, second, "part('close').click()")
	p.AwaitSubscribers(t, 0)
	e2e.ToFront(t, first)
	checkNoMoreCards(t, p, f, first, "in the other tab")
}
