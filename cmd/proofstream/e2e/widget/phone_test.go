package widget

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// On a phone the card is at the bottom, as wide as the screen without its margins, and takes at most a quarter of the height. Its button
// measures at least 44 by 44 pixels, and a swipe closes the card.
func TestWidgetOnAPhone(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, `data-position="top-left" data-duration="60000" data-dismiss="card" data-cooldown="0"`)
	for _, size := range [][2]int64{{375, 667}, {320, 568}, {667, 375}} {
		e2e.Screen(t, tab, size[0], size[1], true)
		e2e.Reload(t, tab) // a page detects a touch screen only when it loads
		p.AwaitSubscribers(t, 1)
		p.Post(t, "user_name="+strings.Repeat("Maria da ", 13))
		e2e.AwaitShows(t, tab, 1)
		r := e2e.Eval[[]float64](t, tab, "(() => { const card = part('card'); card.style.transition = 'none'; const r = card.getBoundingClientRect(), b = part('close').getBoundingClientRect(); return [r.left, innerWidth - r.right, innerHeight - r.bottom, r.height / innerHeight, b.width, b.height, Math.min(b.top - r.top, r.bottom - b.bottom, r.right - b.right)] })()")
		if r[0] < 8 || r[0] > 24 || r[1] != r[0] || r[2] < 8 || r[2] > 24 || r[3] > .25 || r[4] < 44 || r[5] < 44 || r[6] < 0 {
			t.Errorf("%v: margins left %.0f, right %.0f, bottom %.0f, share of the height %.2f, button %.0f by %.0f, %.1f from the edge", size, r[0], r[1], r[2], r[3], r[4], r[5], r[6])
		}
		y := float64(size[1]) - r[2] - 20
		touch := func(kind input.DispatchTouchEventType, points ...*input.TouchPoint) {
			e2e.Call(t, tab, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: append([]*input.TouchPoint{}, points...)})
		}
		drag := func() {
			kind := input.DispatchTouchEventTypeTouchStart
			for _, x := range []float64{100, 120, 150, 190} {
				touch(kind, &input.TouchPoint{X: x, Y: y})
				kind = input.DispatchTouchEventTypeTouchMove
			}
		}
		drag()
		e2e.AwaitJS(t, tab, "part('card').style.translate")
		touch(input.DispatchTouchEventTypeTouchCancel) // as on an incoming call
		e2e.AwaitJS(t, tab, "!part('card').style.translate")
		if !e2e.Eval[bool](t, tab, "!!document.querySelector('.visible')") {
			t.Errorf("%v: a swipe that was not completed closed the card", size)
		}
		drag()
		touch(input.DispatchTouchEventTypeTouchEnd)
		e2e.AwaitJS(t, tab, "seen.at(-1).reason == 'dismissed'")
	}
}

// With data-mobile="off" there are no cards on screens narrower than 768 pixels.
func TestWidgetMobileOff(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, e2e.Quick+` data-mobile="off"`)
	e2e.Screen(t, tab, 767, 800, false)
	p.AwaitSubscribers(t, 0)
	p.Post(t)
	e2e.Eval[chromedp.Void](t, tab, "window.widened = performance.now()")
	e2e.Screen(t, tab, 768, 800, false)
	e2e.AwaitShows(t, tab, 1)
	if e2e.Eval[bool](t, tab, "shows()[0].at < widened") {
		t.Error("a card on a narrow screen")
	}
}
