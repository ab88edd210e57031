package e2e

import (
	"context"
	_ "embed" // for the scripts
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"proofstream/stream/waitfor"
)

// Quick are attributes of the widget's tag: a card shows for 300 ms, and the next one at least 150 ms later.
const Quick = `data-duration="300" data-cooldown="150"`

//go:embed witness.js
var witness string

// Witness is a script element that records what happens on a page: see witness.js. It must come before the widget's tag.
var Witness = "<script>" + witness + "</script>"

//go:embed fastclock.js
var fastClock string

// FastClock is a script element for pages of which PassTime advances the clock. It must come before Witness.
var FastClock = "<script>" + fastClock + "</script>"

// PassTime advances the clock of a page that has FastClock, in steps of at most 20 s: the widget does not take them for sleep. It
// waits after each step until the widget has done what is due.
func PassTime(t *testing.T, tab context.Context, d time.Duration) {
	t.Helper()
	Eval[chromedp.Void](t, tab, fmt.Sprintf("pass(%d)", d.Milliseconds()))
}

// WidgetPage returns a page with Witness and the widget. src is the address of the program or of a proxy in front of it, attributes
// are those of the widget's tag, and body ends the body of the page.
func WidgetPage(src, attributes, body string) (html string) {
	return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">` + Witness +
		`<script async src="` + src + `/assets/proof.js" ` + attributes + `></script></head><body>
<main><h1>A page</h1><p>With some text on it.</p>` + body + `</main></body></html>`
}

// Open opens a WidgetPage in a new Tab and waits for its stream. The program must have no other stream.
func (p *Program) Open(t *testing.T, attributes string) context.Context {
	t.Helper()
	tab := Tab(t, ServePage(t, WidgetPage(p.URL, attributes, "")))
	p.AwaitSubscribers(t, 1)
	return tab
}

// AwaitSubscribers waits until the program has n open streams, according to /stats.
func (p *Program) AwaitSubscribers(t *testing.T, n int) {
	t.Helper()
	waitfor.Until(t, waitfor.Patience, func() bool { return p.Subscribers(t) == n }, func() string {
		return fmt.Sprintf("%d subscribers, want %d", p.Subscribers(t), n)
	})
}

// AwaitHeard waits until the widget's stream in a tab has delivered a signup.
func AwaitHeard(t *testing.T, tab context.Context, id string) {
	t.Helper()
	AwaitJS(t, tab, "heard.includes('signup "+id+"')")
}

// AwaitShows waits until at least n cards have shown on a page, and returns the user names of all that have shown.
func AwaitShows(t *testing.T, tab context.Context, n int) (names []string) {
	t.Helper()
	AwaitJS(t, tab, fmt.Sprintf("shows().length >= %d", n))
	return Eval[[]string](t, tab, "shows().map(e => e.user_name)")
}

// Reload reloads the page of a tab.
func Reload(t *testing.T, tab context.Context) {
	t.Helper()
	if err := chromedp.Do(tab, chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
}

// NewTab opens an address in a new tab of the window of another tab, which is hidden from then on. NewWindow hides nothing.
func NewTab(t *testing.T, of context.Context, url string) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(of, chromedp.WithNewWindow(false))
	ctx = navigate(t, ctx, cancel, url)
	AwaitJS(t, ctx, "!document.hidden")
	AwaitJS(t, of, "document.hidden")
	return ctx
}

// ToFront makes a tab the visible one of its window. The others are hidden.
func ToFront(t *testing.T, tab context.Context) {
	t.Helper()
	Call(t, tab, cdppage.BringToFront, cdp.Empty{})
	AwaitJS(t, tab, "!document.hidden")
}

// Press presses a key in a tab.
func Press(t *testing.T, tab context.Context, key string) {
	t.Helper()
	if err := chromedp.Do(tab, chromedp.KeyEvent(key)); err != nil {
		t.Fatal(err)
	}
}

// Call runs a command of the Chrome DevTools Protocol in a tab and returns its result.
func Call[P, R any](t *testing.T, tab context.Context, command cdp.Command[P, R], params P) R {
	t.Helper()
	result, err := chromedp.Call(tab, command, params)
	if err != nil {
		t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// Screen sets the size of a tab in CSS pixels. A phone has a touch screen.
func Screen(t *testing.T, tab context.Context, width, height int64, phone bool) {
	t.Helper()
	Call(t, tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: phone})
	Call(t, tab, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: phone})
}

// Media emulates a media feature in a tab, such as prefers-color-scheme.
func Media(t *testing.T, tab context.Context, name, value string) {
	t.Helper()
	Call(t, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: name, Value: value}}})
}
