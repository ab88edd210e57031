package pages

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// insertLater is JavaScript by which optimisers and cookie banners make a script run that they held back: it replaces each placeholder
// by a new script element with the same attributes. Where the address was in another attribute, it becomes the src.
const insertLater = `for (const held of document.querySelectorAll('script[data-held]')) {
	const script = document.createElement('script')
	for (const {name, value} of held.attributes) if (name != 'type') script.setAttribute(name.replace(/^data-(lazy-)?src$/, 'src'), value)
	held.replaceWith(script)
}`

// tagManager is JavaScript by which tag managers insert a script of which they know only the address.
const tagManager = `(() => {
	const first = document.getElementsByTagName('script')[0], script = document.createElement('script')
	script.async = true
	script.src = 'PROOF.JS?position=top-left&duration=300'
	first.parentNode.insertBefore(script, first)
})()`

// Tag managers, optimisers, shop themes and cookie banners insert the tag in ways of their own. The widget reads its settings and shows
// a card. Where a script is held back, nothing is requested before.
func TestWidgetWorksAsBuildersInsertIt(t *testing.T) {
	t.Parallel()
	e2e.NeedBrowser(t)
	p := e2e.Start(t)
	for _, c := range []struct {
		name       string
		head, body string // PROOF.JS stands for the address of the script
		later      string // JavaScript that inserts the tag; "" where the page has it
	}{
		{"deferred by an optimiser", `<script defer src="PROOF.JS" data-position="top-left"></script>`, "", ""},
		{"before the end of the body, as in Shopify's and Webflow's footers", "", `<script src="PROOF.JS" data-position="top-left"></script>`, ""},
		{"a module, as a bundler writes it", `<script type="module" src="PROOF.JS" data-position="top-left"></script>`, "", ""},
		{"with the version of WordPress in the address", "", `<script src="PROOF.JS?ver=6.8.1" id="proofstream-js" data-position="top-left"></script>`, ""},
		{"with an attribute for Rocket Loader", `<script data-cfasync="false" async src="PROOF.JS" data-position="top-left"></script>`, "", ""},
		{"by a tag manager", "", "", tagManager},
		{"held back until a gesture, with the address in data-src", `<script data-held type="text/lazy" data-src="PROOF.JS" data-position="top-left"></script>`, "", insertLater},
		{"held back by a cookie banner as text/plain", `<script data-held type="text/plain" data-cookieconsent="marketing" src="PROOF.JS" data-position="top-left"></script>`, "", insertLater},
		{"held back at the end of the body, with the address in data-lazy-src", "", `<script data-held type="text/plain" data-lazy-src="PROOF.JS" data-position="top-left"></script>`, insertLater},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := e2e.StartHTTPProxy(t, p)
			fill := strings.NewReplacer("PROOF.JS", f.URL+"/assets/proof.js").Replace
			tab := e2e.Tab(t, e2e.ServePage(t, fill(`<!doctype html><html lang="en"><head><title>A page</title><link rel="icon" href="data:,">`+
				e2e.Witness+c.head+`</head><body><h1>A page</h1>`+c.body+`</body></html>`)))
			if c.later != "" {
				e2e.AwaitJS(t, tab, "document.readyState == 'complete'")
				if got := f.Requests(); len(got) > 0 {
					t.Errorf("requested before: %q", got)
				}
				e2e.Eval[chromedp.Void](t, tab, fill(c.later))
			}
			awaitCard(t, p, tab)
			if got := e2e.Eval[string](t, tab, "part('card').className"); !strings.Contains(got, "top left") {
				t.Errorf("the card has the classes %q, want top left", got)
			}
		})
	}
}

// awaitCard posts a signup once the widget has its stream, and waits for a card. Cards of signups of other tests count too.
func awaitCard(t *testing.T, p *e2e.Program, tab context.Context) {
	t.Helper()
	e2e.AwaitJS(t, tab, "heard.some(line => line.startsWith('ready'))")
	p.Post(t)
	e2e.AwaitShows(t, tab, 1)
}

// offsets are the rules that assets/README.md gives for pages with a chat bubble or a cookie bar.
const offsets = `<style>
@media (max-width: 767px) { :root { --proof-offset-y: 72px } }
body.cookie-bar-open proof-popup { display: none !important }
</style>`

// On a phone the card leaves a chat bubble at the bottom free, and waits while a cookie bar is open.
func TestWidgetLeavesBubblesAndBarsFree(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := e2e.Tab(t, "about:blank")
	e2e.Screen(t, tab, 390, 844, true)
	page := e2e.WidgetPage(p.URL, `data-duration="60000"`, offsets+`<button id="bubble" style="position: fixed; right: 16px; bottom: 16px; width: 48px; height: 48px">?</button>
		<script>document.body.className = 'cookie-bar-open'</script>`)
	if err := chromedp.Do(tab, chromedp.Navigate(e2e.ServePage(t, page))); err != nil {
		t.Fatal(err)
	}
	p.AwaitSubscribers(t, 1)
	id := p.Post(t)
	e2e.AwaitHeard(t, tab, id)
	e2e.Eval[chromedp.Void](t, tab, "new Promise(done => setTimeout(done, 1500))") // a card looks once a second whether it may show
	if n := e2e.Eval[int](t, tab, "shows().length"); n != 0 {
		t.Errorf("%d cards while the cookie bar is open, want 0", n)
	}
	e2e.Eval[chromedp.Void](t, tab, "document.body.className = ''")
	e2e.AwaitShows(t, tab, 1)
	e2e.Eval[chromedp.Void](t, tab, "part('card').style.transition = 'none'")
	gap := func() float64 {
		return e2e.Eval[float64](t, tab, "bubble.getBoundingClientRect().top - part('card').getBoundingClientRect().bottom")
	}
	waitfor.Fact(t, "a card above the bubble", func() bool { return gap() >= 0 })
}
