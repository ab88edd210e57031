package main

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The demo page posts a test signup with the key from its address, which it takes from the bar; shows the
// card on itself, on a phone and on a desktop; builds the snippet, pinned or not; says nothing on the console.
func TestDemoPage(t *testing.T) {
	t.Parallel()
	p := start(t)
	tab := tab(t, "about:blank")
	lines := console(t, tab)
	if err := chromedp.Do(tab, chromedp.Navigate(p.url+"/#key="+p.key)); err != nil {
		t.Fatal(err)
	}
	p.awaitSubscribers(t, 1)
	if got := eval[string](t, tab, "location.href"); got != p.url+"/" {
		t.Errorf("the address bar says %s", got)
	}
	eval[chromedp.Void](t, tab, "document.querySelector('#send .primary').click()")
	awaitJS(t, tab, "document.querySelector('#proof-popup.visible')")
	awaitJS(t, tab, "events.textContent == '1' && subscribers.textContent == '1'")
	eval[chromedp.Void](t, tab, "document.getElementById('withdraw').click()")
	awaitJS(t, tab, "!document.querySelector('#proof-popup.visible')")
	// What shows here when the view changes does not hold up the card there.
	eval[chromedp.Void](t, tab, "document.querySelector('#send .primary').click()")
	awaitJS(t, tab, "document.querySelector('#proof-popup.visible')")
	for _, view := range []string{"phone", "desktop"} {
		eval[chromedp.Void](t, tab, "frame.contentWindow.before = true; document.querySelector('[value="+view+"]').click()")
		awaitJS(t, tab, "!frame.contentWindow.before && frame.contentDocument.querySelector('#proof-popup')?.shadowRoot.querySelector('[part=card]').hidden === false")
		awaitJS(t, tab, "!document.querySelector('#proof-popup.visible')")
		eval[chromedp.Void](t, tab, "document.querySelector('#send .primary').click()")
		awaitJS(t, tab, "frame.contentDocument.querySelector('#proof-popup.visible')")
	}
	eval[chromedp.Void](t, tab, `adjust.elements.position.value = 'top-left'; adjust.elements.template.value = '"<{user_name}>" & more';
		adjust.dispatchEvent(new Event('input', {bubbles: true})); pin.click()`)
	awaitJS(t, tab, "snippet.textContent.includes('integrity')")
	got := eval[string](t, tab, "snippet.textContent")
	for _, want := range []string{`data-position="top-left"`, `data-template="&quot;&lt;{user_name}>&quot; &amp; more"`, `integrity="sha384-`, `crossorigin="anonymous"`} {
		if !strings.Contains(got, want) {
			t.Errorf("got snippet %s, want %s in it", got, want)
		}
	}
	for _, width := range []int64{320, 375, 768, 1280} {
		screen(t, tab, width, 800, false)
		if got := eval[int](t, tab, "document.documentElement.scrollWidth"); got > int(width) {
			t.Errorf("at %d pixels the page is %d wide", width, got)
		}
	}
	if got := lines(); len(got) > 0 {
		t.Errorf("the console says %v", got)
	}
}
