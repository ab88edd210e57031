package widget

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// rows is JavaScript for the texts of the rows of kept signups.
const rows = "[...document.querySelectorAll('#kept li')].map(row => row.textContent)"

// With a key the demo page lists the kept signups, newest first and fifty at a time, and erases one. The focus then goes to the next row.
// A signup that is posted comes on top, and the rows stay where they are.
func TestDemoPageListsKeptSignups(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_SITES_0_NAME=shop", "PROOF_SITES_0_API_KEYS=key-of-the-site-shop", "PROOF_SITES_0_ALLOWED_ORIGINS=*")
	oldest := p.Post(t, "user_name=<b>Oldest</b>", "offer_name=Spring Sale", "place=Lisbon", "kind=order")
	p.PostMany(t, "visitor ", 51)
	tab := openDemo(t, p.URL, p.Key)
	e2e.AwaitJS(t, tab, rows+".length == 50 && "+rows+"[0].includes('visitor 50')")
	e2e.Eval[chromedp.Void](t, tab, "older.focus(); older.click()")
	e2e.AwaitJS(t, tab, rows+".length == 52 && older.hidden")
	if got, want := e2e.Eval[string](t, tab, rows+".at(-1)"), "<b>Oldest</b> Spring Sale orderLisbon now "+oldest+"Erase"; got != want {
		t.Errorf("the last row says %q, want %q", got, want)
	}
	const focused = "document.activeElement.closest('li')?.querySelector('code').textContent"
	second := e2e.Eval[string](t, tab, focused)
	e2e.Eval[chromedp.Void](t, tab, "document.activeElement.click()")
	e2e.AwaitJS(t, tab, rows+".length == 51 && "+focused+" == '"+oldest+"'")
	if got := p.Get(t, "/admin/events?limit=200", "Authorization: Bearer "+p.Key).Body; strings.Contains(got, `"`+second+`"`) || !strings.Contains(got, `"`+oldest+`"`) {
		t.Errorf("the service keeps %s, want all but %s", got, second)
	}
	p.Post(t, "user_name=Newest")
	e2e.AwaitJS(t, tab, rows+"[0].includes('Newest') && "+rows+".length == 52 && "+focused+" == '"+oldest+"'")
	e2e.Eval[chromedp.Void](t, tab, "document.activeElement.click()")
	e2e.AwaitJS(t, tab, rows+".length == 51 && "+focused+" && "+focused+" != '"+oldest+"'")
	shop := p.Server
	shop.Key = "key-of-the-site-shop"
	checkEmptyList(t, tab, shop)
}

// checkEmptyList checks the list for the key of a site without signups, and for a wrong key. After the last row is erased, the focus goes to
// the title.
func checkEmptyList(t *testing.T, tab context.Context, site e2e.Server) {
	t.Helper()
	useKey := func(key string) {
		e2e.Eval[chromedp.Void](t, tab, "send.elements.key.value = '"+key+"'; send.elements.key.dispatchEvent(new Event('change'))")
	}
	const state = "document.getElementById('kept-state').textContent"
	useKey(site.Key)
	e2e.AwaitJS(t, tab, state+".startsWith('Nothing is kept') && !"+rows+".length")
	site.Post(t)
	e2e.Eval[chromedp.Void](t, tab, "setControls({site: 'shop'})")
	e2e.AwaitJS(t, tab, rows+".length == 1 && !"+state)
	e2e.Eval[chromedp.Void](t, tab, "document.querySelector('#kept button').click()")
	e2e.AwaitJS(t, tab, "!"+rows+".length && document.activeElement.id == 'kept-title' && document.getElementById('events').textContent == '0'")
	useKey("no-key-of-this-service")
	e2e.AwaitJS(t, tab, state+".startsWith('Bad or missing API key') && send.elements.key.ariaInvalid == 'true'")
}

// In a window of 1366 by 768 pixels the whole device is in view when a card shows on it, wherever the page was, and the button too.
func TestDemoPageFitsALowWindow(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := e2e.Tab(t, "about:blank")
	e2e.Screen(t, tab, 1366, 768, false)
	e2e.Media(t, tab, "prefers-reduced-motion", "reduce")
	if err := chromedp.Do(tab, chromedp.Navigate(p.URL+"/#key="+p.Key)); err != nil {
		t.Fatal(err)
	}
	p.AwaitSubscribers(t, 1)
	const outside = `[...document.querySelectorAll('.device, #send .primary')].map(e => e.getBoundingClientRect()).filter(r => r.top < 0 || r.bottom > innerHeight).length`
	for _, view := range []string{"phone", "desktop"} {
		e2e.Eval[chromedp.Void](t, tab, "document.querySelector('[value="+view+"]').click()")
		e2e.AwaitJS(t, tab, "frame.contentDocument?.querySelector('#proof-popup')?.shadowRoot.querySelector('[part=card]').hidden === false")
		if got := e2e.Eval[int](t, tab, outside); got != 0 {
			t.Errorf("%s: chosen, and %d of device and button are outside the window", view, got)
		}
		e2e.Eval[chromedp.Void](t, tab, "scrollTo(0, 0); document.querySelector('#send .primary').click()")
		e2e.AwaitJS(t, tab, "frame.contentDocument.querySelector('#proof-popup.visible')")
		if got := e2e.Eval[int](t, tab, outside); got != 0 {
			t.Errorf("%s: sent, and %d of device and button are outside the window", view, got)
		}
	}
}
