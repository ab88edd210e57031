package widget

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// shortTimeouts goes before the widget. It makes timeouts run twenty times as fast.
const shortTimeouts = `<script>
	const timeout = setTimeout
	setTimeout = (f, ms) => timeout(f, ms / 20)
</script>`

// When the service is down, or the page's policy refuses it, the page does not change, and the console has at most one line.
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
			html := shortTimeouts + e2e.FastClock + e2e.WidgetPage(c.src, "", "")
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
			waitfor.Fact(t, "a line on the console", func() bool { return len(lines()) > 0 }) // the failure is noticed
			e2e.PassTime(t, tab, 10*time.Minute)
			if got := lines(); len(got) > 1 {
				t.Errorf("the console says\n%s", strings.Join(got, "\n"))
			}
			if strings.HasSuffix(c.name, " refused") && e2e.Eval[bool](t, tab, "!!document.querySelector('proof-popup')") {
				t.Error("the widget still tries")
			}
			if e2e.Eval[bool](t, tab, "!!document.querySelector('.visible')") || e2e.Eval[float64](t, tab, "shift") != 0 {
				t.Error("the page has changed")
			}
		})
	}
}

// Under a policy that refuses pictures the widget tries one picture, and cards show without. A policy that only reports changes nothing.
func TestWidgetShowsCardsUnderAnyPicturePolicy(t *testing.T) {
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
		e2e.Eval[chromedp.Void](t, tab, "window.pictures = []; addEventListener('proof:show', () => pictures.push(part('image').hasAttribute('src')))")
		p.PostMany(t, "visitor", 3)
		e2e.AwaitShows(t, tab, 3)
		if got := e2e.Eval[string](t, tab, "pictures.join()"); got != c.pictures {
			t.Errorf("%s: cards with a picture: got %s, want %s", c.header, got, c.pictures)
		}
		if err := chromedp.Cancel(tab); err != nil {
			t.Fatal(err)
		}
		p.AwaitSubscribers(t, 0)
	}
}

// The widget works under a strict policy without unsafe-inline, pinned or not, trusted by address or by nonce, and the console is empty.
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
		`<script type="module" src="` + p.URL + `/assets/proof.js"></script>`, // a module has no document.currentScript
		`<script src="/early.js"></script>`,                                   // inserts the tag before the body exists
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
