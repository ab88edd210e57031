package widget

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/domdebugger"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// pause holds the card and the next ones, resume continues, and destroy leaves no stream, element, listener, timer or lock. The widget
// sets no property of window.
func TestWidgetMethods(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	const count = `<script>
		var timers = new Set
		for (const kind of ['Timeout', 'Interval']) {
			const set = window['set' + kind], clear = window['clear' + kind]
			window['set' + kind] = (f, ms) => { const id = set(() => { if (kind == 'Timeout') timers.delete(id); f() }, ms); timers.add(id); return id }
			window['clear' + kind] = id => { timers.delete(id); clear(id) }
		}
		var names = new Set(Object.getOwnPropertyNames(window))
	</script>`
	html := strings.Replace(e2e.WidgetPage(p.URL, e2e.Quick, ""), "<script>", count+"<script>", 1)
	tab := e2e.Tab(t, e2e.ServePage(t, html))
	p.AwaitSubscribers(t, 1)
	e2e.Eval[chromedp.Void](t, tab, "var popup = document.getElementById('proof-popup'); popup.pause()")
	e2e.AwaitHeard(t, tab, p.PostMany(t, "visitor", 2)[1])
	e2e.Eval[chromedp.Void](t, tab, `addEventListener('proof:show', () => popup.pause(), {once: true})
		window.resumed = performance.now(); popup.resume()`)
	e2e.AwaitShows(t, tab, 1)
	if e2e.Eval[bool](t, tab, "shows()[0].at < resumed") {
		t.Error("a card while paused")
	}
	e2e.AwaitJS(t, tab, "performance.now() > visible[0] + 600") // twice the time that a card shows: a timer of the card would have fired before
	if !e2e.Eval[bool](t, tab, "popup.matches('.visible')") {
		t.Error("pause did not hold the card that showed")
	}
	e2e.Eval[chromedp.Void](t, tab, "popup.resume()")
	e2e.AwaitShows(t, tab, 2)
	if got := e2e.Eval[[]string](t, tab, `Object.getOwnPropertyNames(window).filter(name => !names.has(name) &&
		!['names', 'opened', 'heard', 'resumed', 'EventSource', 'seen', 'told', 'visible', 'ahead', 'shift', 'realNow', 'part', 'says', 'shows', 'popup', 'type'].includes(name) && isNaN(name))`); len(got) > 0 {
		t.Errorf("on window: %v", got)
	}
	e2e.Eval[chromedp.Void](t, tab, "popup.destroy()")
	p.AwaitSubscribers(t, 0)
	if got := e2e.Eval[string](t, tab, "[timers.size, document.querySelectorAll('proof-popup').length, popup.isConnected].join()"); got != "0,0,false" {
		t.Errorf("timers, elements, connected: got %s, want 0,0,false", got)
	}
	held := e2e.Eval[string](t, tab, "navigator.locks.query().then(q => q.held.length + ',' + q.pending.length)")
	if held != "0,0" {
		t.Errorf("locks held and pending: got %s, want 0,0", held)
	}
	for _, target := range []string{"document", "window"} {
		object, err := chromedp.Run(tab, chromedp.Evaluate[*runtime.RemoteObject](target))
		if err != nil {
			t.Fatal(err)
		}
		for _, listener := range e2e.Call(t, tab, domdebugger.GetEventListeners, domdebugger.GetEventListenersParams{ObjectID: object.ObjectID}).Listeners {
			if !strings.HasPrefix(listener.Type, "proof:") { // the listeners of the test
				t.Errorf("%s still listens to %s", target, listener.Type)
			}
		}
	}
}
