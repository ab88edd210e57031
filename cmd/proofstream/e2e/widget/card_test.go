package widget

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// A posted signup is visible on an open page within a second. The page polls nothing: it requests each file once.
func TestWidgetShowsASignupWithinASecond(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, "")
	took, names := time.Hour, []string(nil)
	for i := 1; took > time.Second && i <= 3; i++ { // a busy machine may be late once, but not three times
		before := time.Now()
		p.Post(t, "user_name=Ada", "offer_name=Spring Sale")
		names = e2e.AwaitShows(t, tab, i)
		shown := e2e.Eval[float64](t, tab, fmt.Sprintf("performance.timeOrigin + visible[%d]", 2*i-2))
		took = time.UnixMicro(int64(shown * 1000)).Sub(before)
		if took > time.Second {
			e2e.AwaitJS(t, tab, "visible.length % 2 == 0 && performance.now() - visible.at(-1) > 2100") // the cooldown is over
		}
	}
	if took > time.Second {
		t.Errorf("the card showed after %v, want at most a second", took)
	}
	if got, want := e2e.Eval[string](t, tab, "says()"), "Ada just signed up with Spring Sale!"; got != want || names[0] != "Ada" {
		t.Errorf("got %q for %v, want %q", got, names, want)
	}
	p.Post(t)
	e2e.AwaitShows(t, tab, len(names)+1)
	// The list has all requests of the page except those of an EventSource.
	got := e2e.Eval[[]string](t, tab, `performance.getEntriesByType('resource').map(e => e.name.replace(/.*\//, '')).sort()`)
	if want := "[default.svg proof.css proof.js]"; strings.ReplaceAll(fmt.Sprint(got), "default.svg default.svg", "default.svg") != want {
		t.Errorf("got requests %v, want %v: no polling", got, want)
	}
}

// The widget requests nothing from other origins, loads no font, and causes no layout shift.
func TestWidgetStaysWithItsServiceAndStill(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, e2e.Quick)
	p.PostMany(t, "visitor", 2)
	e2e.AwaitShows(t, tab, 2)
	e2e.AwaitJS(t, tab, "visible.length == 4")
	if got := e2e.Eval[float64](t, tab, "shift"); got != 0 {
		t.Errorf("layout shift %v, want 0", got)
	}
	foreign := e2e.Eval[[]string](t, tab, `performance.getEntriesByType('resource').map(e => e.name).filter(name => !name.startsWith('`+p.URL+`'))`)
	if len(foreign) > 0 || e2e.Eval[int](t, tab, "document.fonts.size") > 0 {
		t.Errorf("got foreign requests %v, or fonts, want none", foreign)
	}
}

// Image, sentence, age and button are inside the card, and the card is inside the screen, with long names too.
func TestWidgetCardFitsEveryScreen(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, `data-dismiss="card" data-cooldown="0"`)
	const measure = `(() => {
		const card = part('card').getBoundingClientRect(), text = part('message')
		return [card.left >= 0 && card.right <= innerWidth && card.bottom <= innerHeight,
			text.clientHeight <= 3 * parseFloat(getComputedStyle(text).lineHeight) + 1,
			document.documentElement.scrollWidth <= innerWidth,
			['image', 'message', 'time', 'close'].every(name => {
				const r = part(name).getBoundingClientRect()
				return r.width > 0 && r.height > 0 && r.left >= card.left && r.right <= card.right && r.top >= card.top && r.bottom <= card.bottom
			})].join()
	})()`
	shown := 0
	for _, size := range [][2]int64{{320, 640}, {640, 360}, {1280, 800}} { // the second is 1280 by 720 at 200 %
		e2e.Screen(t, tab, size[0], size[1], false)
		for _, name := range []string{"Ada", strings.Repeat("W", 120), strings.Repeat("Maria da ", 13)} {
			p.Post(t, "user_name="+name, "offer_name="+name)
			shown++
			e2e.AwaitShows(t, tab, shown)
			e2e.Eval[chromedp.Void](t, tab, "part('card').style.transition = 'none'")
			if got := e2e.Eval[string](t, tab, measure); got != "true,true,true,true" {
				t.Errorf("%v, %.9s…: inside, at most three lines, no scrolling, parts inside: got %s", size, name, got)
			}
			e2e.Eval[chromedp.Void](t, tab, "part('close').click()")
		}
	}
}

// The card has the same purple on light and on dark pages.
func TestWidgetCardIsPurpleOnLightAndDarkPages(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	for _, scheme := range []string{"light", "dark"} {
		tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, "", "<style>:root { color-scheme: light dark }</style>")))
		e2e.Media(t, tab, "prefers-color-scheme", scheme)
		p.AwaitSubscribers(t, 1)
		p.Post(t)
		e2e.AwaitShows(t, tab, 1)
		if got, want := e2e.Eval[string](t, tab, "getComputedStyle(part('card')).backgroundColor"), "rgb(91, 33, 182)"; got != want {
			t.Errorf("%s: got %s, want %s", scheme, got, want)
		}
		if err := chromedp.Cancel(tab); err != nil {
			t.Fatal(err)
		}
		p.AwaitSubscribers(t, 0)
	}
}
