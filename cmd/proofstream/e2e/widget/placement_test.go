package widget

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// A body that carries its fixed children along, when it is transformed for example, does not take the card out of the window.
func TestWidgetStaysInTheWindow(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	for _, style := range []string{"transform: translateZ(0)", "filter: blur(0)", "will-change: transform", "contain: paint", "margin: 0"} {
		tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, e2e.Quick, "<style>body { height: 4000px; "+style+" }</style>")))
		p.AwaitSubscribers(t, 1)
		e2e.Eval[chromedp.Void](t, tab, `addEventListener('proof:show', () => { const card = part('card'); card.style.transition = 'none'
			card.classList.add('in'); const r = card.getBoundingClientRect(); window.box = [r.top, innerHeight - r.bottom] })`)
		p.Post(t)
		e2e.AwaitShows(t, tab, 1)
		if got := e2e.Eval[[]float64](t, tab, "box"); got[0] < 0 || got[1] < 8 || got[1] > 24 {
			t.Errorf("%s: the card is %.0f from the top and %.0f from the bottom of the window", style, got[0], got[1])
		}
		if err := chromedp.Cancel(tab); err != nil {
			t.Fatal(err)
		}
		p.AwaitSubscribers(t, 0)
	}
}

// The page can move the card inwards, put it below something, and hide it: a hidden card waits and is not counted.
func TestWidgetCanBeMovedAndHidden(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, `data-duration="60000" data-position="top-left"`,
		"<style>:root { --proof-z: 5; --proof-offset-x: 30px; --proof-offset-y: 40px }</style><style id=hide>proof-popup { display: none !important }</style>")))
	p.AwaitSubscribers(t, 1)
	e2e.Eval[chromedp.Void](t, tab, "addEventListener('proof:show', () => window.hiddenAtShow = getComputedStyle(document.querySelector('proof-popup')).display == 'none')")
	e2e.AwaitHeard(t, tab, p.Post(t))
	e2e.Eval[chromedp.Void](t, tab, "document.querySelector('proof-popup').hidden = true; document.querySelector('#hide').remove()")
	e2e.AwaitHeard(t, tab, p.Post(t, "user_name=second"))
	e2e.Eval[chromedp.Void](t, tab, "document.querySelector('proof-popup').hidden = false")
	e2e.AwaitShows(t, tab, 1)
	if e2e.Eval[bool](t, tab, "hiddenAtShow") {
		t.Error("a card is spent while the page hides it")
	}
	got := e2e.Eval[[]float64](t, tab, `(() => { const card = part('card'); card.style.transition = 'none'; const r = card.getBoundingClientRect()
		const em = parseFloat(getComputedStyle(card).fontSize); return [r.left - 1.25 * em, r.top - 1.25 * em, +getComputedStyle(document.querySelector('proof-popup')).zIndex] })()`)
	if fmt.Sprint(got) != "[30 40 5]" {
		t.Errorf("got offsets and z-index %v, want [30 40 5]", got)
	}
}

// While a modal dialog or an element in fullscreen covers the card's place, cards wait; they come afterwards.
func TestWidgetWaitsBehindModals(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, e2e.Quick, "<dialog>Sure?</dialog>")))
	p.AwaitSubscribers(t, 1)
	e2e.Eval[chromedp.Void](t, tab, "addEventListener('proof:show', () => window.covered = !!document.querySelector(':modal')); document.querySelector('dialog').showModal()")
	e2e.AwaitHeard(t, tab, p.Post(t, "user_name=first"))
	e2e.AwaitHeard(t, tab, p.Post(t, "user_name=second"))
	e2e.Eval[chromedp.Void](t, tab, "document.querySelector('dialog').close()")
	if got := fmt.Sprint(e2e.AwaitShows(t, tab, 2)); got != "[first second]" || e2e.Eval[bool](t, tab, "covered") {
		t.Errorf("shown: %s; behind the dialog: %v", got, e2e.Eval[bool](t, tab, "covered"))
	}
}

// A frame without a box on the screen neither leads nor shows, and one that is too low for a sentence does not show.
func TestWidgetStaysOutOfFramesThatNobodySees(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	inner := e2e.ServePage(t, e2e.WidgetPage(p.URL, e2e.Quick, ""))
	tab := e2e.Tab(t, e2e.ServePage(t, `<!doctype html><title>A page</title><iframe src="`+inner+`" style="display: none"></iframe>`))
	e2e.AwaitJS(t, tab, "document.readyState == 'complete'")
	other := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, e2e.Quick, "")))
	e2e.AwaitJS(t, other, "heard.length") // the frame, which is older, would have a stream by now
	if n := p.Subscribers(t); n != 1 {
		t.Errorf("%d streams, want 1: the hidden frame has none", n)
	}
	e2e.Eval[chromedp.Void](t, tab, "document.querySelector('iframe').style = 'width: 400px; height: 400px'")
	p.AwaitSubscribers(t, 2)

	e2e.Screen(t, other, 320, 200, false)
	e2e.AwaitHeard(t, other, p.Post(t, "user_name=low"))
	e2e.Eval[chromedp.Void](t, other, "window.grown = performance.now()")
	e2e.Screen(t, other, 320, 480, false)
	e2e.AwaitShows(t, other, 1)
	if e2e.Eval[bool](t, other, "shows()[0].at < grown") {
		t.Error("a card in a window of 320 by 200 pixels")
	}
}

// The whole card is the link; the card slides in from its own side; names are not translated; the ring of the focus follows the
// card's corners; addresses belong to the page, whatever its base; a picture that fails leaves none in its place; nothing is printed.
func TestWidgetCardDetails(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	page := e2e.ServePage(t, strings.Replace(e2e.WidgetPage(p.URL, `data-duration="60000" data-position="bottom-left"`, ""), "<head>", `<head><base href="https://other.example/">`, 1))
	tab := e2e.Tab(t, page)
	p.AwaitSubscribers(t, 1)
	e2e.Eval[chromedp.Void](t, tab, "addEventListener('proof:show', () => window.from = new DOMMatrix(getComputedStyle(part('card')).transform).e)")
	p.Post(t, "user_name=Ada", "url=/plain", "img_path=/missing.png")
	e2e.AwaitShows(t, tab, 1)
	if from := e2e.Eval[float64](t, tab, "from"); from > -100 {
		t.Errorf("a card at the left begins its slide at %.0f pixels, want it left of the window", from)
	}
	e2e.AwaitJS(t, tab, "!part('image').hasAttribute('src')")
	if got, want := e2e.Eval[string](t, tab, "part('message').querySelector('a').href"), page+"plain"; got != want {
		t.Errorf("the link leads to %s, want %s", got, want)
	}
	e2e.AwaitJS(t, tab, "part('card').getBoundingClientRect().left >= 0")
	for _, name := range []string{"time", "message", "image"} {
		hit := `(() => { const r = part('` + name + `').getBoundingClientRect(); return part('card').getRootNode().elementFromPoint(r.left + r.width / 2, r.top + r.height / 2).localName })()`
		if got := e2e.Eval[string](t, tab, hit); got != "a" {
			t.Errorf("a click on the %s hits %s, want the link", name, got)
		}
	}
	if e2e.Eval[bool](t, tab, "[...part('message').querySelectorAll('bdi')].some(name => name.translate)") {
		t.Error("what was posted may be translated")
	}
	if ring, card := e2e.Eval[string](t, tab, "getComputedStyle(part('message').querySelector('a'), '::after').borderRadius"),
		e2e.Eval[string](t, tab, "getComputedStyle(part('card')).borderRadius"); ring != card && ring == "0px" {
		t.Errorf("the ring of the focus has corners of %s, the card of %s", ring, card)
	}
	e2e.Call(t, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	if got := e2e.Eval[string](t, tab, "getComputedStyle(part('card')).display"); got != "none" {
		t.Errorf("on paper the card has display %s", got)
	}
}
