package widget

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// A tag manager inserts a script element with nothing but async and src: the settings stand in the query. An attribute wins.
func TestWidgetReadsSettingsFromTheQuery(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_SITES_0_NAME=shop", "PROOF_SITES_0_API_KEYS=key-of-the-other-shop", "PROOF_SITES_0_ALLOWED_ORIGINS=*")
	f := e2e.StartHTTPProxy(t, p)
	tab := e2e.Tab(t, e2e.ServePage(t, `<!doctype html><title>A page</title>`+e2e.Witness))
	e2e.Eval[chromedp.Void](t, tab, `(() => { const s = document.createElement('script'); s.async = true; s.dataset.position = 'top-left'
		s.src = '`+f.URL+`/assets/proof.js?site=shop&position=top-right&duration=60000&consent=wait'; document.head.append(s) })()`)
	e2e.AwaitJS(t, tab, "document.querySelector('proof-popup')")
	if n := f.Count("/events"); n != 0 {
		t.Errorf("%d streams before consent, want 0", n)
	}
	e2e.Eval[chromedp.Void](t, tab, "document.querySelector('proof-popup').consent()")
	f.AwaitCount(t, "/events", 1)
	if got := f.Last("/events"); !strings.Contains(got, "site=shop") {
		t.Errorf("asked for %s, want site=shop", got)
	}
	e2e.AwaitJS(t, tab, "heard.length")
	shop := e2e.Server{URL: p.URL, Key: "key-of-the-other-shop"}
	shop.Post(t)
	e2e.AwaitShows(t, tab, 1)
	if got := e2e.Eval[string](t, tab, "part('card').className"); !strings.Contains(got, "top left") {
		t.Errorf("the card has the classes %q, want top left: the attribute wins", got)
	}
}

// An optimiser merges the script into a bundle of the shop's host, or inlines it. With its tag it works; without, one line on the
// console says what to change, and nothing else happens.
func TestWidgetFindsItsTagInABundle(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	script := p.Get(t, "/assets/proof.js").Body
	serve := func(tags string) (url string) {
		return e2e.ServeHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/":
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				fmt.Fprint(w, `<!doctype html><title>A shop</title><link rel="icon" href="data:,">`+e2e.Witness+tags)
			case "/js/bundle.js":
				w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
				fmt.Fprint(w, "var theme = 1;\n"+script)
			default:
				t.Errorf("the shop's host is asked for %s", r.URL)
			}
		})).URL
	}
	tab := e2e.Tab(t, serve(`<script src="/js/bundle.js"></script><script async src="`+p.URL+`/assets/proof.js"></script>`))
	p.AwaitSubscribers(t, 1)
	p.Post(t)
	e2e.AwaitShows(t, tab, 1)
	for name, tags := range map[string]string{"merged": `<script src="/js/bundle.js"></script>`, "inlined": "<script>" + script + "</script>"} {
		alone := e2e.Tab(t, "about:blank")
		lines := console(t, alone)
		if err := chromedp.Do(alone, chromedp.Navigate(serve(tags))); err != nil {
			t.Fatal(err)
		}
		e2e.AwaitJS(t, alone, "document.readyState == 'complete'")
		if got := lines(); !slices.Equal(got, []string{"console.warning"}) || e2e.Eval[bool](t, alone, "!!document.querySelector('proof-popup')") {
			t.Errorf("%s without its tag: the console says %q, want one warning and no element", name, got)
		}
	}
}

// A known attribute whose value cannot be read gets the one line on the console, and counts as absent; attributes of other tools are
// none of ours.
func TestWidgetNamesAnAttributeThatItCannotRead(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	for attributes, want := range map[string][]string{
		`data-duration="5s" data-cooldown="2s"`: {"console.warning"}, "data-position=”top-left”": {"console.warning"},
		`data-cfasync="false" data-no-optimize="1" data-recent=""`: nil,
	} {
		tab := e2e.Tab(t, "about:blank")
		lines := console(t, tab)
		if err := chromedp.Do(tab, chromedp.Navigate(e2e.ServePage(t, e2e.WidgetPage(p.URL, attributes, "")))); err != nil {
			t.Fatal(err)
		}
		p.AwaitSubscribers(t, 1)
		if got := lines(); !slices.Equal(got, want) {
			t.Errorf("%s: the console says %q, want %q", attributes, got, want)
		}
		if err := chromedp.Cancel(tab); err != nil {
			t.Fatal(err)
		}
		p.AwaitSubscribers(t, 0)
	}
}

// Two services on one origin, under two paths, do not share a stream.
func TestWidgetKeepsServicesApart(t *testing.T) {
	t.Parallel()
	a, b := e2e.Start(t), e2e.Start(t)
	pages := e2e.ServeFiles(t, map[string]string{"/a": e2e.WidgetPage(a.URL, e2e.Quick, ""), "/b": e2e.WidgetPage(b.URL, e2e.Quick, "")})
	first := e2e.Tab(t, pages+"a")
	second := e2e.NewWindow(t, first, pages+"b")
	a.AwaitSubscribers(t, 1)
	b.AwaitSubscribers(t, 1)
	b.Post(t, "user_name=of b")
	if got := fmt.Sprint(e2e.AwaitShows(t, second, 1)); got != "[of b]" {
		t.Errorf("got %s, want [of b]", got)
	}
}

// Where the service does not know the site, or does not allow the page's origin, the one line on the console says what would change
// that. Further tries come minutes apart.
func TestWidgetSaysWhyItIsRefused(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_ALLOWED_ORIGINS=https://elsewhere.example", "PROOF_SITES_0_NAME=shop", "PROOF_SITES_0_API_KEYS=key-of-the-other-shop",
		"PROOF_SITES_0_ALLOWED_ORIGINS=*")
	for _, c := range []struct{ attributes, want string }{
		{"", "PROOF_ALLOWED_ORIGINS"}, {`data-site="shpo"`, "(data-site: shpo)"},
	} {
		f := e2e.StartHTTPProxy(t, p)
		tab := e2e.Tab(t, e2e.ServePage(t, "<script>warned = []; console.warn = text => warned.push(text)</script>"+
			e2e.FastClock+e2e.WidgetPage(f.URL, e2e.Quick+" "+c.attributes, "")))
		e2e.AwaitJS(t, tab, "warned.length")
		before := f.Count("/events")
		e2e.PassTime(t, tab, 20*time.Second)
		if got := e2e.Eval[[]string](t, tab, "warned"); len(got) != 1 || !strings.Contains(got[0], c.want) {
			t.Errorf("%q: the console says %q, want one line with %s", c.attributes, got, c.want)
		}
		if more := f.Count("/events") - before; more > 1 {
			t.Errorf("%q: %d streams requested in the 20 s after the line, want at most 1", c.attributes, more)
		}
	}
}
