package widget

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// With data-card="off" every open tab gets the signups and retractions as events, from one stream, and nothing is drawn or styled.
// Filters and data-recent apply, caps and closings do not.
func TestWidgetWithoutACard(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	p.Post(t, "user_name=Early")
	url := e2e.ServePage(t, e2e.WidgetPage(f.URL, `data-card="off" data-recent="1" data-kind="signup" data-max-per-page="1"`, ""))
	first := e2e.Tab(t, url)
	p.AwaitSubscribers(t, 1)
	second := e2e.NewTab(t, first, url)
	e2e.AwaitJS(t, second, "document.querySelector('proof-popup')")
	const signups = "told.filter(e => e.type == 'signup').map(e => e.user_name).join()"
	e2e.AwaitJS(t, second, signups+" == 'Early'")
	p.Post(t, "user_name=Order", "kind=order")
	p.Post(t, "user_name=Ada", "place=Lisbon")
	id := p.Post(t, "user_name=Bea")
	p.Erase(t, id)
	for name, tab := range map[string]string{"the hidden tab": "first", "the visible tab": "second"} {
		ctx := first
		if tab == "second" {
			ctx = second
		}
		e2e.AwaitJS(t, ctx, "told.some(e => e.type == 'retract')")
		if got := e2e.Eval[string](t, ctx, signups); got != "Early,Ada,Bea" {
			t.Errorf("%s: got %s, want Early,Ada,Bea", name, got)
		}
		if got := e2e.Eval[string](t, ctx, "told.find(e => e.type == 'retract').id"); got != id {
			t.Errorf("%s: retracted %s, want %s", name, got, id)
		}
		e2e.Eval[chromedp.Void](t, ctx, "document.querySelector('proof-popup').show({user_name: 'Preview'})")
		if got := e2e.Eval[int](t, ctx, "shows().length + document.querySelectorAll('proof-popup.visible').length"); got != 0 {
			t.Errorf("%s: got %d cards, want none", name, got)
		}
	}
	if n := p.Subscribers(t); n != 1 {
		t.Errorf("got %d streams, want 1", n)
	}
	if n := f.Count("/assets/proof.css"); n != 0 {
		t.Errorf("the stylesheet was requested %d times", n)
	}
}

// show previews a card that says that it is a test, on this page only, whatever caps, filters and closings say. It is not counted
// and not remembered, and its texts are texts.
func TestWidgetPreview(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	url := e2e.ServePage(t, e2e.WidgetPage(p.URL, `data-duration="60000" data-cooldown="0" data-max-per-page="1" data-kind="order" data-dismiss="forever"`, ""))
	tab := e2e.Tab(t, url)
	p.AwaitSubscribers(t, 1)
	other := e2e.NewWindow(t, tab, url)
	e2e.AwaitJS(t, other, "document.querySelector('proof-popup')")
	p.Post(t, "kind=order", "user_name=Ada")
	waitfor.Until(t, waitfor.Patience, func() bool {
		return e2e.Eval[int](t, tab, "shows().length")+e2e.Eval[int](t, other, "shows().length") == 1
	}, func() string { return "no card" })
	shown, idle := tab, other
	if e2e.Eval[int](t, tab, "shows().length") == 0 {
		shown, idle = other, tab
	}
	e2e.AwaitShows(t, shown, 1)
	e2e.Eval[chromedp.Void](t, shown, "part('close').click()") // no more cards, ever
	const stored = "JSON.stringify({...localStorage, session: 0}).replace(/\"session.*?}/, '')"
	before := e2e.Eval[string](t, idle, stored)
	e2e.Eval[chromedp.Void](t, idle, `document.querySelector('proof-popup').show({user_name: '<b>Bea</b>', offer_name: 'Spring Sale', url: 'javascript:alert(1)', id: 'made-1'})`)
	e2e.AwaitShows(t, idle, 1)
	if got := e2e.Eval[string](t, idle, "says() + '|' + part('time').textContent + '|' + part('message').querySelectorAll('a, b').length"); got != "<b>Bea</b> just signed up with Spring Sale!|Test · now|0" {
		t.Errorf("got %s", got)
	}
	e2e.Eval[chromedp.Void](t, idle, "document.querySelector('proof-popup').show({})") // takes the place of the former
	e2e.AwaitShows(t, idle, 2)
	if got := e2e.Eval[string](t, idle, "says()"); got != "someone just signed up with one of our partners!" {
		t.Errorf("without data: got %s", got)
	}
	e2e.Eval[chromedp.Void](t, idle, "part('close').click()")
	if after := e2e.Eval[string](t, idle, stored); after != before {
		t.Errorf("the preview was remembered: got %s, want %s", after, before)
	}
	if got := strings.Join(e2e.AwaitShows(t, shown, 1), ","); got != "Ada" {
		t.Errorf("the other tab shows %s, want Ada alone", got)
	}
}
