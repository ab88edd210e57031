package widget

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"proofstream/cmd/proofstream/e2e"
)

// By default a card is visible for 3.5 s, slides included, and the next one follows after 2 s, also for a signup that arrives during the
// cooldown.
func TestWidgetDefaultDurationAndCooldown(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, "")
	p.Post(t, "user_name=first")
	e2e.AwaitJS(t, tab, "visible.length == 2")
	p.Post(t, "user_name=during the cooldown")
	e2e.AwaitShows(t, tab, 2)
	times := e2e.Eval[[]float64](t, tab, "visible")
	within(t, "on to off", times[1]-times[0], 3500)
	within(t, "off to on", times[2]-times[1], 2000)
}

// within checks that a time is at most a sixteenth, or 20 ms, too short and 1 s too long: a busy page sees a change late. A slide (1250 ms)
// that is not counted would be more than that.
func within(t *testing.T, what string, got, want float64) {
	t.Helper()
	if got < want-max(20, want/16) || got > want+1000 {
		t.Errorf("%s: got %.0f ms, want %.0f", what, got, want)
	}
}

// A burst shows one card at a time, with duration and cooldown kept, and only the newest ten of the waiting signups.
func TestWidgetShowsOneCardAtATimeOfABurst(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, e2e.Quick)
	p.PostMany(t, "early", 1000)
	e2e.AwaitJS(t, tab, "seen.length && !document.querySelector('.visible')")
	p.AwaitSubscribers(t, 1)
	p.PostMany(t, "late", 100)
	p.Post(t, "user_name=last")
	e2e.AwaitJS(t, tab, "shows().some(e => e.user_name == 'last') && visible.length % 2 == 0")
	names := e2e.Eval[[]string](t, tab, "shows().map(e => e.user_name)")
	names = names[len(names)-10:]
	want := []string{"late91", "late92", "late93", "late94", "late95", "late96", "late97", "late98", "late99", "last"}
	if !slices.Equal(names, want) {
		t.Errorf("got %v last, want %v", names, want)
	}
	times := e2e.Eval[[]float64](t, tab, "visible")
	for i := len(times) - 20; i+1 < len(times); i++ {
		length, what := 300.0, "on to off"
		if i%2 == 1 {
			length, what = 150, "off to on"
		}
		// A loaded machine may see a change up to 60 ms late. TestWidgetDefaultDurationAndCooldown checks the upper bound.
		if got := times[i+1] - times[i]; got < length-60 {
			t.Errorf("%s %d: got %.0f ms, want %.0f, at most 60 less", what, i, got, length)
		}
	}
}

// The caps bound the cards that a page and a session show, over reloads.
func TestWidgetKeepsItsCaps(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.FastClock+e2e.WidgetPage(f.URL, e2e.Quick+` data-max-per-page="2" data-max-per-session="3"`, "")))
	p.AwaitSubscribers(t, 1)
	p.PostMany(t, "a", 5)
	e2e.AwaitJS(t, tab, "visible.length == 4")
	p.AwaitSubscribers(t, 0) // a page at its cap closes its stream
	e2e.Reload(t, tab)
	p.AwaitSubscribers(t, 1)
	p.PostMany(t, "b", 3)
	e2e.AwaitJS(t, tab, "visible.length == 2")
	p.AwaitSubscribers(t, 0)
	before := f.Count("/events")
	e2e.Reload(t, tab)
	e2e.AwaitJS(t, tab, "part('card') && !part('card').hidden")
	if streams := f.Count("/events"); streams != before {
		t.Errorf("a page over the cap of the session requested %d streams", streams-before)
	}
	checkNoMoreCards(t, p, f, tab, "over the cap of the session")
}

// checkNoMoreCards checks that a page shows no card for a new signup. It has no stream when that is posted, and opens none within
// two minutes of its clock. The page needs e2e.FastClock.
func checkNoMoreCards(t *testing.T, p *e2e.Program, f *e2e.HTTPProxy, tab context.Context, when string) {
	t.Helper()
	p.AwaitSubscribers(t, 0)
	streams, cards := f.Count("/events"), e2e.Eval[int](t, tab, "shows().length")
	p.Post(t, "user_name=must not show")
	e2e.PassTime(t, tab, 2*time.Minute)
	if got := f.Count("/events") - streams; got != 0 {
		t.Errorf("%s: the page requested %d streams", when, got)
	}
	if got := e2e.Eval[int](t, tab, "shows().length") - cards; got != 0 {
		t.Errorf("%s: the page showed %d cards", when, got)
	}
}

// Closing the card does what data-dismiss says: it ends the cards of this session (all tabs, until none has been open for half an
// hour), of this day, permanently, or none.
func TestWidgetClosingMeansWhatTheTagSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dismiss         string
		sameTab, reload bool   // another card afterwards: on the open page, after a reload
		newTab          bool   // in a tab opened afterwards
		later           string // milliseconds after which there is one again
	}{
		{"card", true, true, true, ""},
		{"session", false, false, false, "40 * 6e4"},
		{"day", false, false, false, "864e5"},
		{"forever", false, false, false, ""},
	} {
		t.Run(c.dismiss, func(t *testing.T) {
			t.Parallel()
			p := e2e.Start(t)
			f := e2e.StartHTTPProxy(t, p)
			url := e2e.ServePage(t, e2e.FastClock+e2e.WidgetPage(f.URL, `data-cooldown="0" data-dismiss="`+c.dismiss+`"`, ""))
			check := func(tab context.Context, when string, want bool) {
				t.Helper()
				e2e.AwaitJS(t, tab, "part('card') && !part('card').hidden")
				if !want {
					checkNoMoreCards(t, p, f, tab, when)
					return
				}
				p.AwaitSubscribers(t, 1)
				before := e2e.Eval[int](t, tab, "shows().length")
				p.Post(t, "user_name="+when)
				e2e.AwaitShows(t, tab, before+1)
			}
			tab := e2e.Tab(t, url)
			check(tab, "at first", true)
			e2e.Press(t, tab, kb.Escape)
			e2e.AwaitJS(t, tab, "seen.at(-1).type == 'close' && seen.at(-1).reason == 'dismissed'")
			check(tab, "on the same page", c.sameTab)
			e2e.Reload(t, tab)
			check(tab, "after a reload", c.reload)
			other := e2e.NewTab(t, tab, url)
			check(other, "in a new tab", c.newTab)
			if c.later != "" {
				e2e.Eval[chromedp.Void](t, other, "ahead = "+c.later)
				check(other, "later", true)
			}
		})
	}
}
