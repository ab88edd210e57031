package widget

import (
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"proofstream/cmd/proofstream/e2e"
)

// An Esc that is meant for something of the page's does not close the card; the next one, which is for nothing else, does.
func TestWidgetLeavesEscToThePage(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, `data-duration="60000" data-dismiss="card"`,
		`<dialog><button>OK</button></dialog><div popover>Menu</div><input type="search" value="shoes"><input id="text">`)))
	p.AwaitSubscribers(t, 1)
	p.Post(t)
	e2e.AwaitShows(t, tab, 1)
	for _, c := range []struct{ name, before string }{
		{"closes a modal dialog", "document.querySelector('dialog').showModal()"},
		{"closes a popover", "document.querySelector('[popover]').showPopover(); document.querySelector('[popover]').tabIndex = 0; document.querySelector('[popover]').focus()"},
		{"clears a search field", "document.querySelector('[type=search]').focus()"},
		{"is handled by the page", "document.activeElement.blur(); addEventListener('keydown', e => e.preventDefault(), {once: true, capture: true})"},
	} {
		e2e.Eval[chromedp.Void](t, tab, c.before)
		e2e.Press(t, tab, kb.Escape)
		if !e2e.Eval[bool](t, tab, "!!document.querySelector('.visible')") {
			t.Fatalf("an Esc that %s has closed the card", c.name)
		}
	}
	e2e.Eval[chromedp.Void](t, tab, "document.querySelector('#text').focus(); document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', isComposing: true, bubbles: true, composed: true})); document.activeElement.blur()")
	if !e2e.Eval[bool](t, tab, "!!document.querySelector('.visible')") {
		t.Fatal("an Esc that ends a composition has closed the card")
	}
	e2e.Press(t, tab, kb.Escape)
	e2e.AwaitJS(t, tab, "seen.at(-1).reason == 'dismissed'")
}

// A finger that moves up over the card, and two fingers, belong to the page: the card stays, where it is.
func TestWidgetLeavesScrollingToThePage(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, `data-duration="60000" data-dismiss="card" data-cooldown="0"`, `<div style="height: 3000px"></div>`)))
	e2e.Screen(t, tab, 375, 667, true)
	e2e.Reload(t, tab)
	p.AwaitSubscribers(t, 1)
	p.Post(t)
	e2e.AwaitShows(t, tab, 1)
	e2e.AwaitJS(t, tab, "part('card').getBoundingClientRect().bottom < innerHeight")
	y := e2e.Eval[float64](t, tab, "(r => r.top + r.height / 2)(part('card').getBoundingClientRect())")
	touch := func(kind input.DispatchTouchEventType, points ...*input.TouchPoint) {
		e2e.Call(t, tab, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: append([]*input.TouchPoint{}, points...)})
	}
	touch(input.DispatchTouchEventTypeTouchStart, &input.TouchPoint{X: 150, Y: y})
	for up := 20.0; up <= 200; up += 20 {
		touch(input.DispatchTouchEventTypeTouchMove, &input.TouchPoint{X: 150, Y: y - up})
	}
	touch(input.DispatchTouchEventTypeTouchEnd)
	e2e.AwaitJS(t, tab, "scrollY > 100")
	const closed = "seen.filter(e => e.type == 'close').length"
	if got := e2e.Eval[int](t, tab, closed); got != 0 {
		t.Error("scrolling has closed the card")
	}
	touch(input.DispatchTouchEventTypeTouchStart, &input.TouchPoint{X: 100, Y: y})
	touch(input.DispatchTouchEventTypeTouchMove, &input.TouchPoint{X: 130, Y: y})
	touch(input.DispatchTouchEventTypeTouchMove, &input.TouchPoint{X: 160, Y: y})
	touch(input.DispatchTouchEventTypeTouchEnd)
	e2e.AwaitJS(t, tab, "seen.at(-1).reason == 'dismissed'")

	p.Post(t)
	e2e.AwaitShows(t, tab, 2)
	e2e.AwaitJS(t, tab, "part('card').getBoundingClientRect().bottom < innerHeight")
	touch(input.DispatchTouchEventTypeTouchStart, &input.TouchPoint{X: 150, Y: y}, &input.TouchPoint{X: 200, Y: y})
	touch(input.DispatchTouchEventTypeTouchMove, &input.TouchPoint{X: 80, Y: y}, &input.TouchPoint{X: 280, Y: y})
	touch(input.DispatchTouchEventTypeTouchEnd)
	if got := e2e.Eval[int](t, tab, closed); got != 1 {
		t.Error("zooming has closed the card")
	}
}
