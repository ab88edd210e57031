package widget

import (
	"context"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"proofstream/cmd/proofstream/e2e"
)

// The original rhythm: 3.5 s from visible on to visible off, slides included, then 2 s before the next,
// also for a signup that comes during that pause.
func TestWidgetKeepsTheRhythm(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, "")
	p.Post(t, "user_name=first")
	e2e.AwaitJS(t, tab, "visible.length == 2")
	p.Post(t, "user_name=in the pause")
	e2e.AwaitShows(t, tab, 2)
	times := e2e.Eval[[]float64](t, tab, "visible")
	within(t, "on to off", times[1]-times[0], 3500)
	within(t, "off to on", times[2]-times[1], 2000)
}

// within allows a busy machine to be late, by less than a slide that is not counted in (1250 ms), and no one to be early.
func within(t *testing.T, what string, got, want float64) {
	t.Helper()
	if got < want-20 || got > want+1000 {
		t.Errorf("%s: got %.0f ms, want %.0f", what, got, want)
	}
}

// A burst shows one card at a time, keeps the rhythm, and of those that wait only the newest ten.
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
		if got := times[i+1] - times[i]; got < length-20 { // how late it may be, TestWidgetKeepsTheRhythm says
			t.Errorf("%s %d: got %.0f ms, want %.0f at least", what, i, got, length)
		}
	}
}

// Caps count what this page and this session showed, over reloads.
func TestWidgetKeepsItsCaps(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, e2e.Quick+` data-max-per-page="2" data-max-per-session="3"`)
	p.PostMany(t, "a", 5)
	e2e.AwaitJS(t, tab, "visible.length == 4")
	p.AwaitSubscribers(t, 0) // a page that will show no more listens no more
	e2e.Reload(t, tab)
	p.AwaitSubscribers(t, 1)
	p.PostMany(t, "b", 3)
	e2e.AwaitJS(t, tab, "visible.length == 2")
	p.AwaitSubscribers(t, 0)
	e2e.Reload(t, tab)
	e2e.AwaitJS(t, tab, "part('card') && !part('card').hidden")
	p.Post(t, "user_name=c")
	e2e.Settle(t, tab)
	if got := e2e.Eval[int](t, tab, "shows().length"); got != 0 {
		t.Errorf("%d cards over the cap of the session", got)
	}
}

// Closing does what data-dismiss says, and nothing else; Esc closes.
func TestWidgetClosingMeansWhatTheTagSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dismiss         string
		sameTab, reload bool   // another card afterwards: in the open page, after a reload
		newTab          bool   // in a tab opened afterwards
		later           string // milliseconds after which there is one anyhow
	}{
		{"card", true, true, true, ""},
		{"session", false, false, true, ""},
		{"day", false, false, false, "864e5"},
		{"forever", false, false, false, ""},
	} {
		t.Run(c.dismiss, func(t *testing.T) {
			t.Parallel()
			p := e2e.Start(t)
			url := e2e.ServePage(t, e2e.WidgetPage(p.URL, `data-cooldown="0" data-dismiss="`+c.dismiss+`"`, ""))
			tab := e2e.Tab(t, url)
			p.AwaitSubscribers(t, 1)
			shows := func(in context.Context, name string, want bool) bool {
				before := e2e.Eval[int](t, in, "shows().length")
				e2e.AwaitJS(t, in, "part('card') && !part('card').hidden")
				p.Post(t, "user_name="+name)
				if want {
					e2e.AwaitShows(t, in, before+1)
					return true
				}
				e2e.Settle(t, in)
				return e2e.Eval[int](t, in, "shows().length") > before
			}
			if !shows(tab, "first", true) {
				t.Fatal("no card at all")
			}
			e2e.Pressed(t, tab, kb.Escape)
			e2e.AwaitJS(t, tab, "seen.at(-1).type == 'close' && seen.at(-1).reason == 'dismissed'")
			if got := shows(tab, "same page", c.sameTab); got != c.sameTab {
				t.Errorf("another card on the page: got %v, want %v", got, c.sameTab)
			}
			e2e.Reload(t, tab)
			if c.reload {
				p.AwaitSubscribers(t, 1)
			}
			if got := shows(tab, "reloaded", c.reload); got != c.reload {
				t.Errorf("another card after a reload: got %v, want %v", got, c.reload)
			}
			other := e2e.Neighbour(t, tab, url)
			if c.newTab {
				p.AwaitSubscribers(t, 1)
			}
			if got := shows(other, "new tab", c.newTab); got != c.newTab {
				t.Errorf("a card in a new tab: got %v, want %v", got, c.newTab)
			}
			if c.later != "" {
				e2e.Eval[chromedp.Void](t, other, "ahead = "+c.later)
				p.AwaitSubscribers(t, 1)
				if !shows(other, "later", true) {
					t.Error("no card a day later")
				}
			}
		})
	}
}
