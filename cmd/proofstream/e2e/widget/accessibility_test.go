package widget

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"proofstream/cmd/proofstream/e2e"
)

// axe is JavaScript that runs axe-core (testdata/axe, MPL 2.0) on a page and returns the violations.
const axe = `axe.run(document).then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ')).join('; ')))`

// axe-core reports no violation with and without a card, on light and dark pages, the demo page included.
func TestWidgetIsAccessible(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	p := e2e.Start(t)
	for _, url := range []string{e2e.ServePage(t, e2e.WidgetPage(p.URL, `data-dismiss="card"`, `<aside>Another</aside>`)), p.URL + "/"} {
		for _, scheme := range []string{"light", "dark"} {
			tab := e2e.Tab(t, url)
			e2e.Media(t, tab, "prefers-color-scheme", scheme)
			p.AwaitSubscribers(t, 1)
			e2e.Eval[chromedp.Void](t, tab, string(source))
			for _, when := range []string{"without a card", "with a card"} {
				if when == "with a card" {
					p.Post(t, "url=/offer")
					e2e.AwaitJS(t, tab, "document.querySelector('#proof-popup.visible')")
					e2e.Eval[chromedp.Void](t, tab, `document.getElementById('proof-popup').pause();
						document.getElementById('proof-popup').shadowRoot.querySelector('[part=card]').style.transition = 'none'`)
				}
				if got := e2e.Eval[[]string](t, tab, axe); len(got) > 0 {
					t.Errorf("%s, %s, %s: axe finds %s", url, scheme, when, strings.Join(got, "\n"))
				}
			}
			if err := chromedp.Cancel(tab); err != nil {
				t.Fatal(err)
			}
			p.AwaitSubscribers(t, 0)
		}
	}
}

// The live region exists before the first message, polite and empty. The card does not take the focus. It stays visible while the pointer is
// on it or it has the focus. The button has a name and measures at least 24 by 24 pixels.
func TestWidgetCardStaysWhileInUse(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, `data-duration="700" data-cooldown="0" data-dismiss="card"`, `<input id="field" autofocus>`)))
	p.AwaitSubscribers(t, 1)
	if got, want := e2e.Eval[string](t, tab, "[part('message').role, says(), getComputedStyle(part('message')).visibility].join()"), "status,,visible"; got != want {
		t.Errorf("live region: got %s, want %s", got, want)
	}
	e2e.Eval[chromedp.Void](t, tab, "field.focus()")
	p.Post(t, "url=/offer")
	e2e.AwaitShows(t, tab, 1)
	if got := e2e.Eval[string](t, tab, "document.activeElement.id"); got != "field" {
		t.Errorf("the focus moved to %q", got)
	}
	box := e2e.Eval[[]float64](t, tab, "(() => { const r = part('close').getBoundingClientRect(); return [r.width, r.height] })()")
	if box[0] < 24 || box[1] < 24 || e2e.Eval[string](t, tab, "part('close').localName + part('close').ariaLabel") != "buttonClose" {
		t.Errorf("the button measures %v, want 24 by 24 at least, and a name", box)
	}
	e2e.Eval[chromedp.Void](t, tab, "part('close').focus()")
	e2e.AwaitJS(t, tab, "performance.now() > visible.at(-1) + 1500") // twice the time that a card shows: its timer has fired before
	if !e2e.Eval[bool](t, tab, "document.querySelector('#proof-popup').matches('.visible')") {
		t.Error("the card closed while it had the focus")
	}
	e2e.Eval[chromedp.Void](t, tab, "field.focus()")
	e2e.AwaitJS(t, tab, "visible.length == 2")
	p.Post(t)
	e2e.AwaitShows(t, tab, 2)
	e2e.Eval[chromedp.Void](t, tab, "part('card').style.transition = 'none'")
	point := e2e.Eval[[]float64](t, tab, "(() => { const r = part('card').getBoundingClientRect(); return [r.left + 20, r.top + 20] })()")
	mouse(t, tab, point[0], point[1])
	e2e.AwaitJS(t, tab, "performance.now() > visible.at(-1) + 1500") // twice the time that a card shows: its timer has fired before
	if !e2e.Eval[bool](t, tab, "document.querySelector('#proof-popup').matches('.visible')") {
		t.Error("the card closed under the pointer")
	}
	mouse(t, tab, 5, 5)
	e2e.AwaitJS(t, tab, "visible.length == 4 && seen.at(-1).reason == 'elapsed'")
}

// mouse moves the pointer to a point of the page.
func mouse(t *testing.T, tab context.Context, x, y float64) {
	t.Helper()
	e2e.Call(t, tab, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseMoved, X: x, Y: y})
}

// The card never covers the focused element completely.
func TestWidgetNeverCoversWhatHasTheFocus(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, `data-dismiss="card" data-cooldown="0"`,
		`<button id="low" style="position:fixed;right:60px;bottom:50px">low</button>`)))
	p.AwaitSubscribers(t, 1)
	const covered = `(() => {
		const card = part('card'); card.style.transition = 'none'
		const c = card.getBoundingClientRect(), f = low.getBoundingClientRect()
		return c.left <= f.left && c.right >= f.right && c.top <= f.top && c.bottom >= f.bottom
	})()`
	p.Post(t)
	e2e.AwaitShows(t, tab, 1)
	if !e2e.Eval[bool](t, tab, covered) {
		t.Fatal("the card does not cover the button at all")
	}
	e2e.Eval[chromedp.Void](t, tab, "low.focus()")
	if e2e.Eval[bool](t, tab, covered) {
		t.Error("the card covers what was focused while it showed")
	}
	e2e.Eval[chromedp.Void](t, tab, "part('close').click()")
	p.Post(t)
	e2e.AwaitShows(t, tab, 2)
	if e2e.Eval[bool](t, tab, covered) {
		t.Error("the card covers what had the focus before it showed")
	}
}

// The card slides in, except when the visitor prefers reduced motion.
func TestWidgetSlidesUnlessMotionIsReduced(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, `data-dismiss="card" data-cooldown="0"`)
	for i, c := range []struct{ motion, want string }{{"no-preference", "true 1.25s"}, {"reduce", "false 1.25s"}} {
		e2e.Media(t, tab, "prefers-reduced-motion", c.motion)
		e2e.AwaitJS(t, tab, "part('card').getAnimations().length == 0")
		e2e.Eval[chromedp.Void](t, tab, "addEventListener('proof:show', () => { window.at = new Promise(done => requestAnimationFrame(() => done(part('card').getBoundingClientRect().left > innerWidth - 200))) }, {once: true})")
		p.Post(t)
		e2e.AwaitShows(t, tab, i+1)
		if got := e2e.Eval[string](t, tab, "at.then(far => far + ' ' + getComputedStyle(part('card')).transitionDuration)"); got != c.want {
			t.Errorf("%s: in its first frame, far to the right: got %s, want %s", c.motion, got, c.want)
		}
		e2e.Eval[chromedp.Void](t, tab, "part('close').click()")
	}
}

// A card with a url is a link that the keyboard can reach. A card without one has only the button.
func TestWidgetLinks(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, `data-dismiss="card" data-cooldown="0"`)
	const focusable = `[...document.getElementById('proof-popup').shadowRoot.querySelectorAll('a, button, input, [tabindex]')].map(e => e.localName).join()`
	p.Post(t)
	e2e.AwaitShows(t, tab, 1)
	if got := e2e.Eval[string](t, tab, focusable); got != "button" {
		t.Errorf("without a url: got %s, want the button alone", got)
	}
	e2e.Eval[chromedp.Void](t, tab, "part('close').click()")
	p.Post(t, "url=/?offer=1")
	e2e.AwaitShows(t, tab, 2)
	if got, want := e2e.Eval[string](t, tab, focusable+" + ' ' + part('message').querySelector('a').rel"), "a,button noopener"; got != want {
		t.Errorf("with a url: got %s, want %s", got, want)
	}
	e2e.Eval[chromedp.Void](t, tab, `window.clicked = new Promise(done => addEventListener('proof:click', e => done(e.detail.url)));
		document.addEventListener('click', e => e.preventDefault())`)
	e2e.Press(t, tab, kb.Tab)
	e2e.Press(t, tab, kb.Enter)
	if got := e2e.Eval[string](t, tab, "clicked"); got != "/?offer=1" {
		t.Errorf("got %q", got)
	}
	e2e.Eval[chromedp.Void](t, tab, "part('card').style.transition = 'none'")
	if got := e2e.Eval[string](t, tab, "(() => { const r = part('image').getBoundingClientRect(); return document.getElementById('proof-popup').shadowRoot.elementFromPoint(r.left + 5, r.top + 5).localName })()"); got != "a" {
		t.Errorf("on the picture there is %s, want the link: it is the whole card", got)
	}
}

// A right-to-left language mirrors the inside of the card, not its position. Names are isolated with bdi. The language selects the
// template, and a template has its own direction. Spaces around a missing place are removed, except no-break spaces.
func TestWidgetSpeaksThePagesLanguage(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	for _, c := range []struct{ html, attributes, want string }{
		{"ar", `data-template-ar="سجّل {user_name} في {offer_name}"`, "rtl|right|سجّل Ada في Spring Sale|الآن|rtl"},
		{"he-IL", `data-template="{user_name} chose {offer_name}"`, "rtl|right|Ada chose Spring Sale|עכשיו|ltr"},
		{"de", `data-template-de="{user_name} ist dabei: {offer_name}"`, "ltr|left|Ada ist dabei: Spring Sale|jetzt|ltr"},
		{"en", `data-lang="pt-BR" data-template-pt="{user_name} entrou em {offer_name}" data-template-pt-br="{user_name} se inscreveu em {offer_name}"`, "ltr|left|Ada se inscreveu em Spring Sale|agora|ltr"},
		{"de", `data-lang="not a language" data-template="{user_name}  {place} : {offer_name} {place}"`, "ltr|left|Ada : Spring Sale|jetzt|ltr"},
		{"fr", `data-template="{place} {user_name} aime {offer_name}&#8239;! {place}&nbsp;!"`, "ltr|left|Ada aime Spring Sale\u202f! \u00a0!|maintenant|ltr"},
	} {
		html := strings.Replace(e2e.WidgetPage(p.URL, c.attributes, ""), `lang="en"`, `lang="`+c.html+`"`, 1)
		tab := e2e.Tab(t, e2e.ServePage(t, html))
		p.AwaitSubscribers(t, 1)
		p.Post(t, "user_name=Ada", "offer_name=Spring Sale")
		e2e.AwaitShows(t, tab, 1)
		got := e2e.Eval[string](t, tab, `(() => {
			const card = part('card'); card.style.transition = 'none'
			const side = part('image').getBoundingClientRect().left < part('message').getBoundingClientRect().left ? 'left' : 'right'
			const right = card.getBoundingClientRect().right > innerWidth - 40
			return [getComputedStyle(card).direction, right ? side : 'misplaced', says(), part('time').textContent, getComputedStyle(part('message')).direction].join('|')
		})()`)
		if got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.html, c.attributes, got, c.want)
		}
		if got := e2e.Eval[string](t, tab, "[...part('message').querySelectorAll('bdi')].map(e => e.textContent).filter(text => text).join()"); got != "Ada,Spring Sale" {
			t.Errorf("isolated: got %s", got)
		}
		if err := chromedp.Cancel(tab); err != nil {
			t.Fatal(err)
		}
		p.AwaitSubscribers(t, 0)
	}
}
