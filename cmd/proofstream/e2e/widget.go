package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"proofstream/stream/waitfor"
)

// The widget tests open pages of another origin than the service's in a real browser, and drive the files
// that the program serves, minified. Durations come from the tag's attributes; quick makes them short.
const Quick = `data-duration="300" data-cooldown="150"`

// Witness goes before the widget's tag: it records what happens, on window.seen, and the kind and id of each event that the
// widget's stream brings, on window.heard. Date.now is advanced by window.ahead milliseconds, so that tests need not wait
// for minutes to pass.
const Witness = `<script>
var heard = []
window.EventSource = class extends EventSource {
  constructor(...args) {
    super(...args)
    for (const kind of ['ready', 'signup', 'retract', 'busy'])
      this.addEventListener(kind, e => heard.push(kind + ' ' + e.lastEventId))
  }
}
var seen = [], visible = [], ahead = 0, shift = 0
const realNow = Date.now
Date.now = () => realNow() + ahead
for (const type of ['show', 'close', 'click'])
  addEventListener('proof:' + type, e => seen.push({type, at: performance.now(), ...e.detail}))
new PerformanceObserver(list => { for (const e of list.getEntries()) shift += e.value })
  .observe({type: 'layout-shift', buffered: true})
new MutationObserver(() => {
  const on = !!document.querySelector('#proof-popup.visible')
  if (on != (visible.length % 2 == 1)) visible.push(performance.now())
}).observe(document, {subtree: true, childList: true, attributeFilter: ['class']})
var part = name => document.getElementById('proof-popup')?.shadowRoot.querySelector('[part=' + name + ']')
var says = () => part('message')?.textContent
var shows = () => seen.filter(e => e.type == 'show')
</script>`

// WidgetPage is a page with the widget on it, served from an address such as the program's; attributes go on the
// widget's tag, body after it.
func WidgetPage(src, attributes, body string) (html string) {
	return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">` + Witness +
		`<script async src="` + src + `/assets/proof.js" ` + attributes + `></script></head><body>
<main><h1>A page</h1><p>With some text on it.</p>` + body + `</main></body></html>`
}

// Open opens a page with the widget, and waits until its stream is open.
func (p *Program) Open(t *testing.T, attributes string) context.Context {
	t.Helper()
	tab := Tab(t, ServePage(t, WidgetPage(p.URL, attributes, "")))
	p.AwaitSubscribers(t, 1)
	return tab
}

// AwaitSubscribers waits until the program counts n open streams.
func (p *Program) AwaitSubscribers(t *testing.T, n int) {
	t.Helper()
	waitfor.Until(t, waitfor.Patience, func() bool { return p.Subscribers(t) == n }, func() string {
		return fmt.Sprintf("%d subscribers, want %d", p.Subscribers(t), n)
	})
}

// AwaitHeard waits until the widget's stream in a tab has brought a signup: it will not show later than what comes next.
func AwaitHeard(t *testing.T, tab context.Context, id string) {
	t.Helper()
	AwaitJS(t, tab, "heard.includes('signup "+id+"')")
}

// AwaitShows waits until n cards have shown on a page, and returns the names on them.
func AwaitShows(t *testing.T, tab context.Context, n int) (names []string) {
	t.Helper()
	AwaitJS(t, tab, fmt.Sprintf("shows().length >= %d", n))
	return Eval[[]string](t, tab, "shows().map(e => e.user_name)")
}

// Settle waits as long as a card takes that shows though it should not, where no event shows that it will not.
func Settle(t *testing.T, tab context.Context) {
	t.Helper()
	Eval[chromedp.Void](t, tab, "new Promise(done => setTimeout(done, 500))")
}

// Reload loads a tab's page again.
func Reload(t *testing.T, tab context.Context) {
	t.Helper()
	if err := chromedp.Do(tab, chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
}

// Neighbour opens an address in another tab of the same window, which hides the one before it. (A sibling
// has a window of its own, and both are visible.)
func Neighbour(t *testing.T, of context.Context, url string) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(of, chromedp.WithNewWindow(false))
	ctx = navigate(t, ctx, cancel, url)
	AwaitJS(t, ctx, "!document.hidden")
	AwaitJS(t, of, "document.hidden")
	return ctx
}

// ToFront makes a tab the visible one of its window; the others are hidden.
func ToFront(t *testing.T, tab context.Context) {
	t.Helper()
	Call(t, tab, cdppage.BringToFront, cdp.Empty{})
	AwaitJS(t, tab, "!document.hidden")
}

// Pressed is a key pressed in a tab.
func Pressed(t *testing.T, tab context.Context, key string) {
	t.Helper()
	if err := chromedp.Do(tab, chromedp.KeyEvent(key)); err != nil {
		t.Fatal(err)
	}
}

// Call runs a command of the browser's protocol in a tab.
func Call[P, R any](t *testing.T, tab context.Context, command cdp.Command[P, R], params P) R {
	t.Helper()
	result, err := chromedp.Call(tab, command, params)
	if err != nil {
		t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// Screen gives a tab a size; a phone has a touch screen too.
func Screen(t *testing.T, tab context.Context, width, height int64, phone bool) {
	t.Helper()
	Call(t, tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: phone})
	Call(t, tab, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: phone})
}

// Media makes a tab's page believe in a media feature, such as prefers-color-scheme.
func Media(t *testing.T, tab context.Context, name, value string) {
	t.Helper()
	Call(t, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: name, Value: value}}})
}
