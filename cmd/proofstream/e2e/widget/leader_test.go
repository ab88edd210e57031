package widget

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/page"

	"proofstream/cmd/proofstream/e2e"
)

// A hidden tab that leads and is frozen is replaced. When it wakes, there is one stream, and no card comes twice.
func TestWidgetReplacesAFrozenLeader(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	shop := e2e.ServePage(t, e2e.WidgetPage(p.URL, e2e.Quick, ""))
	leader := e2e.Tab(t, shop)
	p.AwaitSubscribers(t, 1)
	front := e2e.NewTab(t, leader, shop)
	e2e.AwaitJS(t, front, "document.querySelector('proof-popup')")
	e2e.Call(t, leader, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateFrozen})
	id := p.Post(t, "user_name=Ada")
	e2e.AwaitShows(t, front, 1)
	e2e.Call(t, leader, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateActive})
	p.AwaitSubscribers(t, 1)
	marker := p.Post(t, "user_name=marker")
	e2e.AwaitShows(t, front, 2)
	if got := e2e.Eval[[]string](t, front, "shows().map(e => e.id)"); fmt.Sprint(got) != fmt.Sprint([]string{id, marker}) {
		t.Errorf("the tab in front shows %v, want %v", got, []string{id, marker})
	}
	e2e.ToFront(t, leader)
	last := p.Post(t, "user_name=last")
	e2e.AwaitShows(t, leader, 1)
	if got := e2e.Eval[[]string](t, leader, "shows().map(e => e.id)"); fmt.Sprint(got) != fmt.Sprint([]string{last}) {
		t.Errorf("the tab that was frozen shows %v, want only %s", got, last)
	}
}

// A tab that joins a leader without a stream, on a machine whose clock is five hours fast, shows what comes.
func TestWidgetTakesNoTimeFromALeaderThatKnowsNone(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	frames := make(chan string)
	f := e2e.StartHTTPProxy(t, p)
	f.Replace("/events", e2e.FakeStream(frames))
	f.Replace("/recent", e2e.Unavailable)
	shop := e2e.ServePage(t, e2e.WidgetPage(f.URL, e2e.Quick, "<script>ahead = 5 * 36e5</script>"))
	leader := e2e.Tab(t, shop)
	f.AwaitCount(t, "/events", 1)
	front := e2e.NewTab(t, leader, shop)
	e2e.AwaitJS(t, front, "document.querySelector('proof-popup')")
	e2e.AwaitJS(t, front, "part('card') && !part('card').hidden")
	frames <- e2e.SignupFrame("made-1", 0, "user_name=Ada")
	if got := fmt.Sprint(e2e.AwaitShows(t, front, 1)); got != "[Ada]" {
		t.Errorf("got %s, want [Ada]", got)
	}
}

// After less than a minute behind another tab, the newest three of what came show, not all ten.
func TestWidgetShowsThreeAfterAShortAbsence(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	shop := p.Open(t, e2e.Quick)
	e2e.NewTab(t, shop, "about:blank")
	ids := p.PostMany(t, "visitor", 10)
	e2e.AwaitHeard(t, shop, ids[9])
	e2e.ToFront(t, shop)
	e2e.AwaitShows(t, shop, 3)
	p.Post(t, "user_name=marker")
	if got := fmt.Sprint(e2e.AwaitShows(t, shop, 4)); got != "[visitor7 visitor8 visitor9 marker]" {
		t.Errorf("on return: got %s", got)
	}
}
