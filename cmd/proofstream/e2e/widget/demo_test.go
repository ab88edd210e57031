package widget

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// setControls is JavaScript that sets controls of the demo page by name, as someone who types does.
const setControls = `window.setControls = values => {
	for (const [name, value] of Object.entries(values)) {
		const control = adjust.elements[name]
		control.value = value
		control.dispatchEvent(new Event('input', {bubbles: true}))
	}
}`

// Each control of the demo page sets an attribute of the snippet, and "Start over" removes all but the caps, which it suggests. The
// pinned snippet works on a page of another origin.
func TestDemoPageBuildsASnippetThatWorks(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	demo := e2e.Tab(t, p.URL+"/")
	p.AwaitSubscribers(t, 1)
	e2e.AwaitJS(t, demo, "adjust.elements.lang.options.length > 20")
	e2e.Eval[chromedp.Void](t, demo, setControls)
	e2e.Eval[chromedp.Void](t, demo, `setControls({lang: 'ar', position: 'top-left', mobile: 'off', duration: 900, cooldown: 5, delay: 7, recent: 3, 'max-per-page': 8,
		'max-per-session': 9, dismiss: 'day', template: 'a', 'template-past': 'b', consent: 'wait', storage: 'off', site: 'shop', 'show-on': '/a*', 'hide-on': '/b',
		offer: 'x|y', kind: 'order', someone: 'c', 'some-offer': 'd', 'close-label': 'e', label: 'f', card: 'off'});
		document.getElementById('add-kind').click();
		['sale', 'g', 'h'].forEach((value, i) => document.querySelectorAll('#kinds input')[i].value = value);
		adjust.dispatchEvent(new Event('input', {bubbles: true}))`)
	got := e2e.Eval[string](t, demo, "snippet.textContent")
	for _, want := range []string{"lang=\"ar", "position=\"top-left", "mobile=\"off", "duration=\"900", "cooldown=\"5", "delay=\"7", "recent=\"3",
		"max-per-page=\"8", "max-per-session=\"9", "dismiss=\"day", "template-ar=\"a", "template-past-ar=\"b", "consent=\"wait", "storage=\"off", "site=\"shop",
		"show-on=\"/a*", "hide-on=\"/b", "offer=\"x|y", "kind=\"order", "someone-ar=\"c", "some-offer-ar=\"d", "close-label-ar=\"e", "label-ar=\"f", "card=\"off",
		"template-sale-ar=\"g", "template-past-sale-ar=\"h"} {
		if !strings.Contains(got, " data-"+want+"\"") {
			t.Errorf("got snippet %s, want data-%s in it", got, want)
		}
	}
	const builtIn = "fetch('assets/proof.words.json').then(r => r.json()).then(words => words.ar.template == adjust.elements.template.placeholder ? adjust.elements.template.dir : 'other words')"
	if got := e2e.Eval[string](t, demo, builtIn); got != "rtl" {
		t.Errorf("in Arabic: got direction %q, want rtl, and the built-in sentence as the placeholder", got)
	}
	e2e.Eval[chromedp.Void](t, demo, "reset.click()")
	if got, want := e2e.Eval[string](t, demo, "snippet.textContent.replace(/\\s+/g, ' ')"),
		`<script async src="`+p.URL+`/assets/proof.js" data-max-per-page="5" data-max-per-session="20"></script>`; got != want {
		t.Errorf("after starting over: got %s, want %s", got, want)
	}
	// Navigating to the printed address on the open page does not reload it.
	e2e.Eval[chromedp.Void](t, demo, "location.href = '/#key=pasted'")
	e2e.AwaitJS(t, demo, "send.elements.key.value == 'pasted' && location.href == '"+p.URL+"/'")
	e2e.Eval[chromedp.Void](t, demo, `setControls({template: '{user_name} is in'}); pin.click()`)
	e2e.AwaitJS(t, demo, "snippet.textContent.includes('integrity')")
	html := "<!doctype html><title>A page</title>" + e2e.Witness + e2e.Eval[string](t, demo, "snippet.textContent")
	e2e.Eval[chromedp.Void](t, demo, "document.querySelector('[value=manager]').click()")
	managed := "<!doctype html><title>A page</title>" + e2e.Witness + e2e.Eval[string](t, demo, "snippet.textContent")
	e2e.Eval[chromedp.Void](t, demo, "document.querySelector('[value=address]').click()")
	if got, want := e2e.Eval[string](t, demo, "snippet.textContent"), p.URL+"/assets/proof.js?max-per-page=5&max-per-session=20&template=%7Buser_name%7D+is+in"; got != want {
		t.Errorf("got address %s, want %s", got, want)
	}
	shops := []context.Context{e2e.Tab(t, e2e.ServePage(t, html)), e2e.Tab(t, e2e.ServePage(t, managed))}
	p.AwaitSubscribers(t, 3)
	p.Post(t, "user_name=Ada")
	for _, shop := range shops {
		e2e.AwaitJS(t, shop, "says() == 'Ada is in'")
	}
}

// The demo page removes the key from the address bar and posts a test signup with it. It shows the card on itself, in the phone view and in
// the desktop view, builds the snippet, and writes nothing on the console.
func TestDemoPage(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := e2e.Tab(t, "about:blank")
	lines := console(t, tab)
	if err := chromedp.Do(tab, chromedp.Navigate(p.URL+"/#key="+p.Key)); err != nil {
		t.Fatal(err)
	}
	p.AwaitSubscribers(t, 1)
	if got := e2e.Eval[string](t, tab, "location.href"); got != p.URL+"/" {
		t.Errorf("the address bar says %s", got)
	}
	e2e.Eval[chromedp.Void](t, tab, "document.querySelector('#send .primary').click()")
	e2e.AwaitJS(t, tab, "document.querySelector('#proof-popup.visible')")
	e2e.AwaitJS(t, tab, "events.textContent == '1' && subscribers.textContent == '1' && !withdraw.hidden")
	e2e.Eval[chromedp.Void](t, tab, "document.getElementById('withdraw').click()")
	e2e.AwaitJS(t, tab, "!document.querySelector('#proof-popup.visible')")
	// A card that shows here when the view changes does not delay the card there.
	e2e.Eval[chromedp.Void](t, tab, "document.querySelector('#send .primary').click()")
	e2e.AwaitJS(t, tab, "document.querySelector('#proof-popup.visible')")
	for _, view := range []string{"phone", "desktop"} {
		e2e.Eval[chromedp.Void](t, tab, "frame.contentWindow.before = true; document.querySelector('[value="+view+"]').click()")
		e2e.AwaitJS(t, tab, "!frame.contentWindow.before && frame.contentDocument.querySelector('#proof-popup')?.shadowRoot.querySelector('[part=card]').hidden === false")
		e2e.AwaitJS(t, tab, "!document.querySelector('#proof-popup.visible')")
		e2e.Eval[chromedp.Void](t, tab, "document.querySelector('#send .primary').click()")
		e2e.AwaitJS(t, tab, "frame.contentDocument.querySelector('#proof-popup.visible')")
	}
	e2e.Eval[chromedp.Void](t, tab, `adjust.elements.position.value = 'top-left'; adjust.elements.template.value = '"<{user_name}>" & more';
		adjust.dispatchEvent(new Event('input', {bubbles: true})); pin.click()`)
	e2e.AwaitJS(t, tab, "snippet.textContent.includes('integrity')")
	got := e2e.Eval[string](t, tab, "snippet.textContent")
	for _, want := range []string{`data-position="top-left"`, `data-template="&quot;&lt;{user_name}>&quot; &amp; more"`, `integrity="sha384-`, `crossorigin="anonymous"`} {
		if !strings.Contains(got, want) {
			t.Errorf("got snippet %s, want %s in it", got, want)
		}
	}
	for _, width := range []int64{320, 375, 768, 1280} {
		e2e.Screen(t, tab, width, 800, false)
		if got := e2e.Eval[int](t, tab, "document.documentElement.scrollWidth"); got > int(width) {
			t.Errorf("at %d pixels the page is %d wide", width, got)
		}
	}
	if got := lines(); len(got) > 0 {
		t.Errorf("the console says %v", got)
	}
}
