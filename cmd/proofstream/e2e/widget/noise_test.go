package widget

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// quietly opens a page with the widget of src in a new tab. Its clock is a FastClock and its delays are the longest. lines returns what the
// console says: lines of the page and of the browser itself. Certificates are not checked.
func quietly(t *testing.T, src string) (tab context.Context, lines func() []string) {
	t.Helper()
	tab = e2e.Tab(t, "about:blank")
	lines = console(t, tab)
	e2e.Call(t, tab, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
	if err := chromedp.Do(tab, chromedp.Navigate(e2e.ServePage(t, longestDelays+e2e.FastClock+e2e.WidgetPage(src, e2e.Quick, "")))); err != nil {
		t.Fatal(err)
	}
	return tab, lines
}

// A deploy leaves one line on the console of a page, without a proxy and behind nginx, and the page returns by itself.
func TestDeployIsOneLineOnTheConsole(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"direct", "nginx"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := e2e.Start(t)
			src := p.URL
			if name == "nginx" {
				e2e.Need(t, "nginx")
				a, address := e2e.NewAuthority(t, "proof.example.com"), e2e.FreeAddress(t)
				e2e.StartProxy(t, a, address, e2e.NginxByRecipe(t, p, a, address))
				src = "https://" + address
			}
			tab, lines := quietly(t, src)
			p.AwaitSubscribers(t, 1)
			e2e.AwaitJS(t, tab, "heard.at(-1)?.startsWith('ready')")
			p.Stop()
			p = p.Restart()
			p.AwaitSubscribers(t, 1)
			p.Post(t, "user_name=after")
			e2e.AwaitShows(t, tab, 1)
			if got := lines(); len(got) > 1 {
				t.Errorf("the console says %q", got)
			}
		})
	}
}

// A page that finds no room four times has one line on the console, and gets its stream when there is room.
func TestFullHouseIsOneLineOnTheConsole(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	f.Replace("/events", noRoom)
	tab, lines := quietly(t, f.URL)
	for tries := 2; tries <= 4; tries++ {
		e2e.AwaitJS(t, tab, fmt.Sprintf("heard.length == %d && heard.every(frame => frame == 'busy ')", tries))
		e2e.PassTime(t, tab, 40*time.Second)
	}
	f.Replace("/events", nil)
	e2e.PassTime(t, tab, 40*time.Second)
	p.AwaitSubscribers(t, 1)
	if got := lines(); len(got) > 1 {
		t.Errorf("the console says %q", got)
	}
}

// In a browser with two windows on an origin that is not allowed, one of them has the widget's line, after the browser's own for each refused
// request. Ten minutes add at most ten of the browser's.
func TestUnlistedOriginIsOneLineOnTheConsole(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_ALLOWED_ORIGINS=https://elsewhere.example")
	tab, lines := quietly(t, p.URL)
	waitfor.Fact(t, "the widget's line", func() bool { return slices.Contains(lines(), "console.warning") })
	if got := lines(); len(got) != 3 { // of the stream and of /recent, which has the reason
		t.Errorf("at first the console says %q, want three lines", got)
	}
	other := e2e.NewWindow(t, tab, "about:blank")
	quiet := console(t, other)
	if err := chromedp.Do(other, chromedp.Navigate(e2e.Eval[string](t, tab, "location.href"))); err != nil {
		t.Fatal(err)
	}
	waitfor.Fact(t, "the second window's wait for the first", func() bool {
		return e2e.Eval[int](t, other, "navigator.locks.query().then(locks => locks.pending.length)") == 1
	})
	e2e.PassTime(t, tab, 50*time.Second)
	if got := lines(); len(got) != 3 {
		t.Errorf("after 50 s the console says %q, want no more than at first", got)
	}
	e2e.PassTime(t, tab, 10*time.Minute)
	if got := lines(); len(got) > 13 || strings.Count(strings.Join(got, "\n"), "console.") != 1 {
		t.Errorf("after 10 minutes the console says\n%s\nwant at most 13 lines, one of them ours", strings.Join(got, "\n"))
	}
	if got := quiet(); len(got) > 0 {
		t.Errorf("the console of the second window says %q", got)
	}
}
