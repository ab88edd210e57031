package widget

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// console counts what a tab's page and the browser write on its console from now on.
func console(t *testing.T, tab context.Context) (lines func() []string) {
	t.Helper()
	var mu sync.Mutex
	var written []string
	err := chromedp.Listen(tab, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch ev := ev.(type) {
		case *cdplog.EventEntryAdded:
			written = append(written, ev.Entry.Text)
		case *runtime.EventConsoleAPICalled:
			written = append(written, "console."+string(ev.Type))
		case *runtime.EventExceptionThrown:
			written = append(written, "thrown: "+ev.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	e2e.Call(t, tab, cdplog.Enable, cdp.Empty{})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), written...)
	}
}

// Service down, or refused by the page's policy: the page is as it was, with one line on the console at most.
func TestWidgetFailsSilently(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	for _, c := range []struct{ name, policy, src string }{
		{"down", "", "http://127.0.0.1:9"},
		{"script refused", "script-src 'unsafe-inline'", p.URL},
		{"style refused", "style-src 'self'", p.URL},
		{"stream refused", "connect-src 'self'", p.URL},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			html := e2e.WidgetPage(c.src, "", "")
			tab := e2e.Tab(t, "about:blank")
			lines := console(t, tab)
			url := e2e.ServeHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				w.Header().Set("Content-Security-Policy", c.policy)
				fmt.Fprint(w, html)
			})).URL
			if err := chromedp.Do(tab, chromedp.Navigate(url)); err != nil {
				t.Fatal(err)
			}
			for range 3 { // time for what is tried again to be tried again
				e2e.Settle(t, tab)
				e2e.Eval[chromedp.Void](t, tab, "ahead += 59e3")
				e2e.Settle(t, tab)
				e2e.Settle(t, tab)
			}
			if got := lines(); len(got) > 1 {
				t.Errorf("the console says\n%s", strings.Join(got, "\n"))
			}
			if strings.HasSuffix(c.name, " refused") && e2e.Eval[bool](t, tab, "!!document.querySelector('proof-popup')") {
				t.Error("it goes on trying")
			}
			if e2e.Eval[bool](t, tab, "!!document.querySelector('.visible')") || e2e.Eval[float64](t, tab, "shift") != 0 {
				t.Error("the page is not as it was")
			}
		})
	}
}

// A stylesheet that fails is tried again, after a while.
func TestWidgetTriesItsStyleAgain(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	f.Answer = func(r *http.Response) {
		if len(f.Asked) < 4 && r.Request.URL.Path == "/assets/proof.css" {
			r.StatusCode = http.StatusServiceUnavailable
			r.Header.Set("Cache-Control", "no-store")
		}
	}
	const hasty = `<script>
		const timeout = setTimeout
		setTimeout = (f, ms) => timeout(f, ms / 20)
	</script>`
	tab := e2e.Tab(t, e2e.ServePage(t, hasty+e2e.WidgetPage(f.URL, "", "")))
	p.AwaitSubscribers(t, 1)
	if got, want := fmt.Sprint(f.Requests()[:4]), "[/assets/proof.js /assets/proof.css /assets/proof.css /assets/proof.css]"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	p.Post(t)
	e2e.AwaitShows(t, tab, 1)
}

// A policy that refuses pictures is asked once, cards show without; one that only reports changes nothing.
func TestWidgetShowsWhateverThePolicySaysOfPictures(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	for _, c := range []struct{ header, policy, pictures string }{
		{"Content-Security-Policy", "img-src data:", "true,false,false"},
		{"Content-Security-Policy-Report-Only", "default-src 'none'", "true,true,true"},
	} {
		html := e2e.WidgetPage(p.URL, e2e.Quick, "")
		tab := e2e.Tab(t, e2e.ServeHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set(c.header, c.policy)
			fmt.Fprint(w, html)
		})).URL)
		p.AwaitSubscribers(t, 1)
		e2e.Eval[chromedp.Void](t, tab, "window.asked = []; addEventListener('proof:show', () => asked.push(part('image').hasAttribute('src')))")
		p.PostMany(t, "visitor", 3)
		e2e.AwaitShows(t, tab, 3)
		if got := e2e.Eval[string](t, tab, "asked.join()"); got != c.pictures {
			t.Errorf("%s: asked for pictures %s, want %s", c.header, got, c.pictures)
		}
		if err := chromedp.Cancel(tab); err != nil {
			t.Fatal(err)
		}
		p.AwaitSubscribers(t, 0)
	}
}

// A strict policy without unsafe-inline suffices, pinned or not, by address or by nonce; nothing is on the console.
func TestWidgetWorksUnderAStrictPolicy(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	var manifest map[string]struct{ Path, Integrity string }
	if err := json.Unmarshal([]byte(p.Get(t, "/assets/manifest.json").Body), &manifest); err != nil {
		t.Fatal(err)
	}
	pinned := manifest["proof.js"]
	for _, tag := range []string{
		`<script async src="` + p.URL + `/assets/proof.js"></script>`,
		`<script async src="` + p.URL + pinned.Path + `" integrity="` + pinned.Integrity + `" crossorigin="anonymous"></script>`,
		`<script type="module" src="` + p.URL + `/assets/proof.js"></script>`, // has no document.currentScript
		`<script src="/early.js"></script>`,                                   // inserts the tag before there is a body
		`<script async src="` + p.URL + `/assets/proof.js" nonce="once"></script>`,
	} {
		trusted := "'self' " + p.URL
		if strings.Contains(tag, "nonce") {
			trusted = "'nonce-once'"
		}
		tab := e2e.Tab(t, "about:blank")
		lines := console(t, tab)
		url := e2e.ServeHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src "+trusted+"; style-src "+trusted+"; img-src data: "+p.URL+"; connect-src "+p.URL+"")
			if r.URL.Path == "/early.js" {
				w.Header().Set("Content-Type", "text/javascript")
				fmt.Fprintf(w, "document.head.append(Object.assign(document.createElement('script'), {src: '%s/assets/proof.js', async: false}))", p.URL)
				return
			}
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<!doctype html><html lang="en"><head><title>Strict</title><link rel="icon" href="data:,">`+tag+`</head><body><h1>Strict</h1></body></html>`)
		})).URL
		if err := chromedp.Do(tab, chromedp.Navigate(url)); err != nil {
			t.Fatal(err)
		}
		p.AwaitSubscribers(t, 1)
		p.Post(t)
		e2e.AwaitJS(t, tab, "document.querySelector('#proof-popup.visible')")
		if got := lines(); len(got) > 0 {
			t.Errorf("%s: the console says %v", tag, got)
		}
		if err := chromedp.Cancel(tab); err != nil {
			t.Fatal(err)
		}
		p.AwaitSubscribers(t, 0)
	}
}

// The page's style cannot break the card, the card's does not leak, and a theme reaches it.
func TestWidgetAndThePagesStyle(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	const hostile = `<style>body * { all: unset !important; display: none !important; position: static !important; opacity: 0 !important; transform: scale(3) !important;
		font: 40px monospace !important; color: red !important; visibility: hidden !important; width: 1px !important; text-transform: uppercase !important; letter-spacing: 9px !important }
		body > * { margin: 99px !important; filter: blur(9px) !important }</style>`
	const theme = `<style>:root { --proof-background: rgb(1, 2, 3) } proof-popup::part(message) { color: rgb(4, 5, 6) }</style>`
	const look = `(() => { const card = part('card'); card.style.transition = 'none'; const s = getComputedStyle(card), r = card.getBoundingClientRect(), m = getComputedStyle(part('message'))
		return [s.backgroundColor, s.visibility, s.textTransform, s.letterSpacing, m.color, Math.round(r.width), Math.round(r.height), Math.round(innerWidth - r.right), Math.round(innerHeight - r.bottom), getComputedStyle(document.getElementById('proof-popup')).opacity].join(' ') })()`
	var looks []string
	for _, style := range []string{"", hostile, theme} {
		tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, "", style+`<p id="p">text</p><button id="b">x</button>`)))
		p.AwaitSubscribers(t, 1)
		const leak = "[p, b].map(e => { const s = getComputedStyle(e); return s.font + s.margin + s.display + s.color + s.backgroundColor }).join()"
		before := e2e.Eval[string](t, tab, leak)
		p.Post(t, "user_name=Ada")
		e2e.AwaitShows(t, tab, 1)
		if after := e2e.Eval[string](t, tab, leak); after != before {
			t.Errorf("the card's style leaks: %s became %s", before, after)
		}
		looks = append(looks, e2e.Eval[string](t, tab, look))
		if err := chromedp.Cancel(tab); err != nil {
			t.Fatal(err)
		}
		p.AwaitSubscribers(t, 0)
	}
	if looks[1] != looks[0] {
		t.Errorf("on a hostile page: got %s, want %s", looks[1], looks[0])
	}
	if !strings.HasPrefix(looks[2], "rgb(1, 2, 3)") || !strings.Contains(looks[2], "rgb(4, 5, 6)") {
		t.Errorf("themed: got %s", looks[2])
	}
}

// The page may throw its body away, swap it, navigate by History and include the script twice.
func TestWidgetSurvivesThePage(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, e2e.Quick, `<script async src="`+p.URL+`/assets/proof.js?twice" `+e2e.Quick+`></script><proof-popup></proof-popup>`)))
	p.AwaitSubscribers(t, 1)
	for i, change := range []string{
		"0",
		"document.body.innerHTML = ''",
		"document.body.innerHTML += '<p>more</p>'",
		"document.body.replaceWith(document.createElement('body'))",
		"document.body = document.createElement('body')",
		"history.pushState({}, '', '/other')",
		"document.querySelector('script[src]')?.remove()",
		"document.body.append(Object.assign(document.createElement('script'), {src: '" + p.URL + "/assets/proof.js?again'}))",
	} {
		p.Post(t)
		p.Post(t)
		e2e.AwaitShows(t, tab, 2*i+1)
		e2e.Eval[chromedp.Void](t, tab, change)
		e2e.AwaitShows(t, tab, 2*i+2) // what waited is not lost
		e2e.AwaitJS(t, tab, fmt.Sprintf("visible.length >= %d && !document.querySelector('.visible')", 4*i+4))
		if got := e2e.Eval[string](t, tab, "[document.querySelectorAll('proof-popup').length, document.getElementById('proof-popup')?.parentNode == document.body, getComputedStyle(part('card')).display].join()"); got != "1,true,grid" {
			t.Errorf("after %s: elements, in the body, styled: got %s", change, got)
		}
	}
	p.AwaitSubscribers(t, 1)
}
