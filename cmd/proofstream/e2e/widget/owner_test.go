package widget

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// Only the offers and kinds that the tag lists become cards and events of the page. A signup without a kind is a signup.
func TestWidgetShowsTheOffersAndKindsThatTheOwnerWants(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, e2e.Quick+` data-offer="Spring Sale | Ben & Jerry's" data-kind="order|signup"`)
	for _, post := range [][]string{
		{"user_name=other offer", "offer_name=Winter Sale"},
		{"user_name=part of an offer", "offer_name=Spring"},
		{"user_name=other kind", "offer_name=Spring Sale", "kind=review"},
		{"user_name=an order", "offer_name=Spring Sale", "kind=order"},
		{"user_name=no kind", "offer_name=Ben & Jerry's"},
	} {
		p.Post(t, post...)
	}
	if got, want := strings.Join(e2e.AwaitShows(t, tab, 2), ", "), "an order, no kind"; got != want {
		t.Errorf("cards: got %s, want %s", got, want)
	}
	if got := e2e.Eval[int](t, tab, "told.filter(e => e.type == 'signup').length"); got != 2 {
		t.Errorf("proof:signup: got %d, want 2", got)
	}
}

// Cards show on the paths that the tag lists, and not on those that it hides. A page that navigates by History takes the card with it
// or leaves it; what comes meanwhile waits.
func TestWidgetShowsOnThePathsThatTheOwnerWants(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	page := e2e.WidgetPage(p.URL, `data-duration="60000" data-cooldown="0" data-show-on="/shop*, /über" data-hide-on="/shop/checkout*"`, "")
	tab := e2e.Tab(t, e2e.ServeFiles(t, map[string]string{"/": page})+"#")
	p.AwaitSubscribers(t, 1)
	id := p.Post(t, "user_name=Ada")
	e2e.AwaitHeard(t, tab, id)
	if got := e2e.Eval[string](t, tab, names); got != "" {
		t.Errorf("on /: got %s, want no card", got)
	}
	push := func(path string) {
		e2e.Eval[chromedp.Void](t, tab, fmt.Sprintf("history.pushState(null, '', %q)", path))
	}
	push("/shop/1")
	e2e.AwaitShows(t, tab, 1)
	push("/shop/2")
	push("/shop/checkout/pay")
	e2e.AwaitJS(t, tab, "seen.some(e => e.type == 'close' && e.reason == 'elapsed') && !document.querySelector('proof-popup.visible')")
	e2e.AwaitHeard(t, tab, p.Post(t, "user_name=Bea"))
	push("/%C3%BCber")
	if got := strings.Join(e2e.AwaitShows(t, tab, 2), ","); got != "Ada,Bea" {
		t.Errorf("got %s, want Ada,Bea", got)
	}
	e2e.Eval[chromedp.Void](t, tab, "history.back()")
	e2e.AwaitJS(t, tab, "!document.querySelector('proof-popup.visible')")
}

// Each kind may have its own sentence, in each language; then come the sentence of the kind, of the language, and the plain one.
func TestWidgetHasASentenceForEachKind(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	s := openSpeaker(t, p, `lang="pt-BR"`, `data-someone="S" data-some-offer="O" data-close-label="C" data-label="L" data-template="plain {user_name}" data-template-pt="pt {user_name}"
		data-template-order="order {user_name}" data-template-order-pt="order pt {user_name}" data-template-order-pt-br="order pt-br {user_name}"
		data-template-review="review {user_name}" data-template-past="past {user_name}" data-template-past-order="past order {user_name}"`, nil)
	for _, c := range []struct {
		kind string
		age  time.Duration
		want string
	}{
		{"order", 0, "order pt-br Ada"},
		{"review", 0, "review Ada"},
		{"visit", 0, "pt Ada"},
		{"order", time.Hour, "past order Ada"},
		{"review", time.Hour, "past Ada"},
	} {
		if got, _, _ := strings.Cut(s.says(t, c.age, nil, "kind="+c.kind), "|"); got != c.want {
			t.Errorf("%s, %v old: got %q, want %q", c.kind, c.age, got, c.want)
		}
	}
}
