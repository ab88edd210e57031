package widget

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// The widget sets no cookie, and its storage keys are "proofstream:" and the site, or none with data-storage="off". Before consent it
// requests and stores nothing.
func TestWidgetRespectsPrivacy(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	const stored = "[...Object.keys(localStorage), ...Object.keys(sessionStorage)].join() + document.cookie"
	for _, c := range []struct{ attributes, stored string }{
		{"", "proofstream:default" + p.URL + "/"},
		{`data-storage="off"`, ""},
	} {
		tab := p.Open(t, c.attributes)
		p.Post(t)
		e2e.AwaitShows(t, tab, 1)
		e2e.Eval[chromedp.Void](t, tab, "part('close').click()")
		p.AwaitSubscribers(t, 0)
		if got := e2e.Eval[string](t, tab, stored); got != c.stored {
			t.Errorf("%q: stored %q, want %q", c.attributes, got, c.stored)
		}
	}
	for _, yes := range []string{"document.getElementById('proof-popup').consent()", "document.querySelector('[data-consent]').dataset.consent = 'given'"} {
		f := e2e.StartHTTPProxy(t, p)
		tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(f.URL, `data-consent="wait" data-recent="2"`, "")))
		for range 2 {
			e2e.AwaitJS(t, tab, "document.getElementById('proof-popup')")
			// A request of the page after any that the widget has made: the marker that must arrive.
			e2e.Eval[chromedp.Void](t, tab, "fetch('"+f.URL+"/live', {mode: 'no-cors'}).then(() => {})")
			requests := fmt.Sprint(f.Requests())
			if got := e2e.Eval[string](t, tab, stored); got != "" || requests != "[/assets/proof.js /live]" && requests != "[/live]" {
				t.Errorf("before consent: stored %q, requested %s", got, requests)
			}
			e2e.Eval[chromedp.Void](t, tab, yes)
			e2e.AwaitShows(t, tab, 1)
			if err := chromedp.Do(tab, chromedp.Evaluate[chromedp.Void]("localStorage.clear(); sessionStorage.clear()")); err != nil {
				t.Fatal(err)
			}
			e2e.Reload(t, tab) // each load needs consent again
			f.ForgetRequests()
		}
	}
}

// No attribute makes the widget show a card without a signup, or a signup twice.
func TestWidgetShowsNothingThatDidNotHappen(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	const all = e2e.Quick + ` data-recent="20" data-max-per-page="99" data-max-per-session="99" data-storage="off" data-demo="1" data-fake="5" data-events='[{"user_name":"x"}]' data-loop="on" data-user_name="x"`
	tab := p.Open(t, all)
	ids := p.PostMany(t, "visitor", 3)
	e2e.AwaitShows(t, tab, 3)
	e2e.Eval[chromedp.Void](t, tab, "ahead += 9e4") // the widget opens a new stream from its last id
	for i := range 2 {                              // a repeated card would show before these
		ids = append(ids, p.Post(t, "user_name=marker"))
		e2e.AwaitShows(t, tab, 4+i)
	}
	if got := e2e.Eval[[]string](t, tab, "shows().map(e => e.id)"); !slices.Equal(got, ids) {
		t.Errorf("got %v, want %v", got, ids)
	}
}

// Other scripts can write into the storage. The widget ignores damaged records, and cards continue to show.
func TestWidgetIgnoresADamagedMemory(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, `data-duration="60" data-cooldown="0" data-max-per-session="99"`)
	key := "proofstream:default" + p.URL + "/"
	for i, record := range []string{`{"session":7}`, `{"session":[]}`, `{"session":{"at":"text","closed":1}}`, `{"seen":[1]}`, `{"seen":[null,{"1":9e15},[]]}`, `{"seen":{"length":4294967296}}`, `{"seen":"text"}`,
		`{"seen":7,"count":[],"until":{}}`, `[null]`, `"text"`, `null`, `7`, `no JSON`, ``} {
		e2e.Eval[chromedp.Void](t, tab, "localStorage['"+key+"'] = '"+record+"'")
		id := p.Post(t)
		e2e.AwaitShows(t, tab, i+1)
		if got := e2e.Eval[string](t, tab, "JSON.parse(localStorage['"+key+"']).seen.at(-1)[0]"); got != id {
			t.Errorf("after %s: the newest card seen is %s, want %s", record, got, id)
		}
	}
}
