package widget

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// console records what a page and the browser write on the console of a tab from now on. lines returns it.
func console(t *testing.T, tab context.Context) (lines func() []string) {
	t.Helper()
	var mu sync.Mutex
	var written []string
	err := chromedp.Listen(tab, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch ev := ev.(type) {
		case *cdplog.EventEntryAdded:
			written = append(written, ev.Entry.Text)
		case *runtime.EventConsoleAPICalled:
			written = append(written, "console."+string(ev.Type))
		case *runtime.EventExceptionThrown:
			written = append(written, "thrown: "+ev.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	e2e.Call(t, tab, cdplog.Enable, cdp.Empty{})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), written...)
	}
}

// The widget retries a stylesheet that fails to load.
func TestWidgetTriesItsStyleAgain(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	var styles atomic.Int64
	f.OnResponse(func(r *http.Response) {
		if r.Request.URL.Path == "/assets/proof.css" && styles.Add(1) < 3 {
			r.StatusCode = http.StatusServiceUnavailable
			r.Header.Set("Cache-Control", "no-store")
		}
	})
	tab := e2e.Tab(t, e2e.ServePage(t, shortTimeouts+e2e.WidgetPage(f.URL, "", "")))
	p.AwaitSubscribers(t, 1)
	if got, want := fmt.Sprint(f.Requests()[:4]), "[/assets/proof.js /assets/proof.css /assets/proof.css /assets/proof.css]"; got != want {
		t.Errorf("requested %s, want %s", got, want)
	}
	p.Post(t)
	e2e.AwaitShows(t, tab, 1)
}

// The page's style does not change the card, the card's style does not change the page, and a theme changes the card.
func TestWidgetAndThePagesStyle(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	const hostile = `<style>body * { all: unset !important; position: static !important; opacity: 0 !important; transform: scale(3) !important;
		font: 40px monospace !important; color: red !important; visibility: hidden !important; width: 1px !important; text-transform: uppercase !important; letter-spacing: 9px !important }
		body > * { margin: 99px !important; filter: blur(9px) !important }</style>`
	const theme = `<style>:root { --proof-background: rgb(1, 2, 3) } proof-popup::part(message) { color: rgb(4, 5, 6) }</style>`
	const look = `(() => { const card = part('card'); card.style.transition = 'none'; const s = getComputedStyle(card), r = card.getBoundingClientRect(), m = getComputedStyle(part('message'))
		return [s.backgroundColor, s.visibility, s.textTransform, s.letterSpacing, m.color, Math.round(r.width), Math.round(r.height), Math.round(innerWidth - r.right), Math.round(innerHeight - r.bottom), getComputedStyle(document.getElementById('proof-popup')).opacity].join(' ') })()`
	var looks []string
	for _, style := range []string{"", hostile, theme} {
		tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, "", style+`<p id="p">text</p><button id="b">x</button>`)))
		p.AwaitSubscribers(t, 1)
		const leak = "[p, b].map(e => { const s = getComputedStyle(e); return s.font + s.margin + s.display + s.color + s.backgroundColor }).join()"
		before := e2e.Eval[string](t, tab, leak)
		p.Post(t, "user_name=Ada")
		e2e.AwaitShows(t, tab, 1)
		if after := e2e.Eval[string](t, tab, leak); after != before {
			t.Errorf("the card's style leaks: %s became %s", before, after)
		}
		looks = append(looks, e2e.Eval[string](t, tab, look))
		if err := chromedp.Cancel(tab); err != nil {
			t.Fatal(err)
		}
		p.AwaitSubscribers(t, 0)
	}
	if looks[1] != looks[0] {
		t.Errorf("on a hostile page: got %s, want %s", looks[1], looks[0])
	}
	if !strings.HasPrefix(looks[2], "rgb(1, 2, 3)") || !strings.Contains(looks[2], "rgb(4, 5, 6)") {
		t.Errorf("themed: got %s", looks[2])
	}
}

// The widget continues when the page removes or replaces its body, navigates by the History API, or includes the script twice.
func TestWidgetSurvivesThePage(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, e2e.Quick, `<script async src="`+p.URL+`/assets/proof.js?twice" `+e2e.Quick+`></script><proof-popup></proof-popup>`)))
	p.AwaitSubscribers(t, 1)
	for i, change := range []string{
		"0",
		"document.body.innerHTML = ''",
		"document.body.innerHTML += '<p>more</p>'",
		"document.body.replaceWith(document.createElement('body'))",
		"document.body = document.createElement('body')",
		"history.pushState({}, '', '/other')",
		"document.querySelector('script[src]')?.remove()",
		"document.body.append(Object.assign(document.createElement('script'), {src: '" + p.URL + "/assets/proof.js?again'}))",
	} {
		p.Post(t)
		p.Post(t)
		e2e.AwaitShows(t, tab, 2*i+1)
		e2e.Eval[chromedp.Void](t, tab, change)
		e2e.AwaitShows(t, tab, 2*i+2) // the second card was waiting during the change
		e2e.AwaitJS(t, tab, fmt.Sprintf("visible.length >= %d && !document.querySelector('.visible')", 4*i+4))
		if got := e2e.Eval[string](t, tab, "[document.querySelectorAll('proof-popup').length, document.getElementById('proof-popup')?.parentNode == document.body, getComputedStyle(part('card')).display].join()"); got != "1,true,grid" {
			t.Errorf("after %s: elements, in the body, styled: got %s", change, got)
		}
	}
	p.AwaitSubscribers(t, 1)
}
