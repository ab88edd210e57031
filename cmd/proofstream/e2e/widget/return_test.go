package widget

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// These tests are about streams that end, stall or begin elsewhere than they left off. fastClock goes before the witness:
// what runs at intervals runs fifty times as often, and pass lets a time pass in steps short enough that the
// widget does not take them for sleep.
const fastClock = `<script>
var ticks = 0
const interval = setInterval
setInterval = (f, ms) => interval(() => { f(); ticks++ }, ms / 50)
var pass = async ms => {
  for (; ms > 0; ms -= 2e4) {
    const before = ticks
    ahead += Math.min(ms, 2e4)
    while (ticks == before) await new Promise(done => setTimeout(done, 5))
  }
}
</script>`

// longestDelays goes before the widget: what it draws lots for is as late as it can be.
const longestDelays = `<script>Math.random = () => .999</script>`

// names are those on the cards that a page has shown.
const names = "shows().map(e => e.user_name).join()"

// A gap after which all that is kept follows brings what was missed, and nothing that the page has shown or
// dropped, not even when that is longer ago than it remembers ids; after a gap to the newest id, it shows what is new.
func TestWidgetShowsNothingTwiceAfterAGap(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_RETAIN=240", "PROOF_RETRY=200ms")
	f := e2e.StartHTTPProxy(t, p)
	f.Answer = func(r *http.Response) { r.Body = e2e.SlowLine{ReadCloser: r.Body} } // so that there is time to show what should not
	p.PostMany(t, "past", 5)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(f.URL, `data-duration="20" data-cooldown="0" data-recent="2"`, "")))
	p.AwaitSubscribers(t, 1)
	ids := p.PostMany(t, "early", 230) // more than the 200 ids it remembers
	epoch, _, _ := strings.Cut(ids[0], "-")
	e2e.AwaitJS(t, tab, "shows().at(-1)?.user_name == 'early229'")
	for _, c := range []struct {
		cursor, reason string
		missed         int // that show, of the three signups meanwhile
	}{
		{"elsewhere-7", "epoch", 3},
		{epoch + "-1", "expired", 3},
		{epoch + "-99999999", "ahead", 0},
		{"nonsense", "malformed", 0},
	} {
		before := e2e.Eval[int](t, tab, "shows().length")
		f.Instead("/events", e2e.Unavailable)
		f.AwaitCount(t, "/events", f.Count("/events")+1)
		p.PostMany(t, c.reason, 3)
		f.Mu.Lock()
		f.Change = func(r *http.Request) {
			if r.URL.Path == "/events" {
				r.Header.Del("Last-Event-ID")
				r.URL.RawQuery = "last_event_id=" + c.cursor
			}
		}
		f.Mu.Unlock()
		probe := p.Listen(t, "?last_event_id="+c.cursor)
		if got := probe.Ready(t).Data; !strings.Contains(got, `"reason":"`+c.reason) {
			t.Fatalf("%s: the service says %s, want %s", c.cursor, got, c.reason)
		}
		probe.Close()
		p.AwaitSubscribers(t, 0)
		f.Instead("/events", nil)
		p.AwaitSubscribers(t, 1)
		if c.missed > 0 {
			e2e.AwaitJS(t, tab, "shows().at(-1).user_name == '"+c.reason+"2'")
		}
		after := p.Post(t, "user_name=after")
		e2e.AwaitJS(t, tab, "shows().at(-1)?.id == '"+after+"'")
		var want []string
		for i := range c.missed {
			want = append(want, fmt.Sprint(c.reason, i))
		}
		want = append(want, "after")
		got := e2e.Eval[[]string](t, tab, fmt.Sprintf("shows().slice(%d).map(e => e.user_name)", before))
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", c.reason, got, want)
		}
	}
	marker := p.Post(t)
	e2e.AwaitJS(t, tab, "shows().at(-1).id == '"+marker+"'")
	if got := e2e.Eval[int](t, tab, "shows().length - new Set(shows().map(e => e.id)).size"); got != 0 {
		t.Errorf("%d cards showed again", got)
	}
}

// A stream that has brought nothing for five minutes, give or take a fifth, looks alive and may be dead: it is opened again
// from the last id. One that had something to say is left alone.
func TestWidgetRebuildsASilentStream(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_HEARTBEAT=200ms") // heartbeats do not reach a page: they are no sign of life
	f := e2e.StartHTTPProxy(t, p)
	tab := e2e.Tab(t, e2e.ServePage(t, fastClock+e2e.WidgetPage(f.URL, e2e.Quick, "")))
	p.AwaitSubscribers(t, 1)
	id := p.Post(t)
	e2e.AwaitShows(t, tab, 1) // the page knows, too, that its stream is open
	for i := range 2 {
		e2e.Eval[chromedp.Void](t, tab, "pass(23e4)")
		id = p.Post(t)
		e2e.AwaitShows(t, tab, i+2)
	}
	if got := f.Count("/events"); got != 1 {
		t.Fatalf("%d streams, want one: it is not silent for four minutes", got)
	}
	e2e.Eval[chromedp.Void](t, tab, "pass(37e4)")
	f.AwaitCount(t, "/events", 2)
	if got, want := f.Last("/events"), "last_event_id="+id; !strings.Contains(got, want) {
		t.Errorf("asked for %s, want %s in it", got, want)
	}
	p.AwaitSubscribers(t, 1)
}

// Without the network for so long that a next try is a minute away, what was missed shows as soon as it is back, and once.
func TestWidgetComesBackFromOffline(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_RETRY=200ms")
	f := e2e.StartHTTPProxy(t, p)
	tab := e2e.Tab(t, e2e.ServePage(t, longestDelays+fastClock+e2e.WidgetPage(f.URL, e2e.Quick, "")))
	p.AwaitSubscribers(t, 1)
	p.Post(t, "user_name=before")
	e2e.AwaitShows(t, tab, 1)
	for i := range 2 {
		offline(t, tab, true)
		f.CloseClientConnections()
		p.AwaitSubscribers(t, 0)
		p.Post(t, fmt.Sprint("user_name=missed", i))
		for range 8 {
			e2e.Eval[chromedp.Void](t, tab, "pass(2e4)")
		}
		if got := e2e.Eval[int](t, tab, "shows().length"); got != 2*i+1 {
			t.Fatalf("%d cards, want %d: the network is not away", got, 2*i+1)
		}
		offline(t, tab, false)
		p.AwaitSubscribers(t, 1)
		p.Post(t, fmt.Sprint("user_name=after", i))
		e2e.AwaitShows(t, tab, 2*i+3)
	}
	p.Post(t, "user_name=marker")
	e2e.AwaitShows(t, tab, 6)
	if got, want := e2e.Eval[string](t, tab, names), "before,missed0,after0,missed1,after1,marker"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// offline takes the network from a tab, or gives it back.
func offline(t *testing.T, tab context.Context, away bool) {
	t.Helper()
	e2e.Call(t, tab, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{Offline: away, DownloadThroughput: -1, UploadThroughput: -1}}})
	e2e.Call(t, tab, network.OverrideNetworkState, network.OverrideNetworkStateParams{
		Offline: away, DownloadThroughput: -1, UploadThroughput: -1})
	e2e.AwaitJS(t, tab, fmt.Sprintf("navigator.onLine == %v", !away))
}

// A proxy that answers 503 ends an EventSource for good: the stream is tried again, with growing delays, and goes
// on from its last id in the end.
func TestWidgetRetriesARefusedStreamWithBackOff(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	tab := e2e.Tab(t, e2e.ServePage(t, longestDelays+fastClock+e2e.WidgetPage(f.URL, e2e.Quick, "")))
	p.AwaitSubscribers(t, 1)
	p.Post(t, "user_name=before")
	e2e.AwaitShows(t, tab, 1)
	f.Instead("/events", e2e.Unavailable)
	asked := f.Count("/events")
	f.AwaitCount(t, "/events", asked+1)
	for range 60 {
		e2e.Eval[chromedp.Void](t, tab, "pass(4e3)")
	}
	// In four minutes, after 1, 3, 7, 15, 31, 63, 123, 183 seconds, and then each minute.
	if got := f.Count("/events") - asked; got > 12 {
		t.Errorf("asked %d times in four minutes, want 10 or so", got)
	}
	p.Post(t, "user_name=missed")
	f.Instead("/events", nil)
	e2e.Eval[chromedp.Void](t, tab, "pass(6e4)")
	if got, want := fmt.Sprint(e2e.AwaitShows(t, tab, 2)), "[before missed]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Told to retry later at the limit of streams, a page keeps its cursor, also where the stream it asked for was a new one that has
// no id of its own yet; once there is room it shows what it missed.
func TestWidgetWaitsAtTheConnectionLimit(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_MAX_SUBSCRIBERS=1", "PROOF_RETRY=500ms")
	f := e2e.StartHTTPProxy(t, p)
	tab := e2e.Tab(t, e2e.ServePage(t, fastClock+e2e.WidgetPage(f.URL, e2e.Quick, "")))
	p.AwaitSubscribers(t, 1)
	id := p.Post(t, "user_name=before")
	e2e.AwaitShows(t, tab, 1)
	f.Instead("/events", e2e.Unavailable) // makes the page's next stream a new one
	f.AwaitCount(t, "/events", 2)
	p.AwaitSubscribers(t, 0)
	guest := p.Listen(t, "")
	guest.Ready(t)
	p.Post(t, "user_name=missed")
	f.Instead("/events", nil)
	asked := f.Count("/events")
	f.AwaitCount(t, "/events", asked+1)
	e2e.AwaitJS(t, tab, "heard.some(e => e.startsWith('busy'))")
	guest.Close()
	p.AwaitSubscribers(t, 0)
	e2e.Eval[chromedp.Void](t, tab, "pass(6e4)") // longer than the browser's own attempt is waited for
	f.AwaitCount(t, "/events", asked+2)
	if got, want := fmt.Sprint(e2e.AwaitShows(t, tab, 2)), "[before missed]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := f.Last("/events"); !strings.Contains(got, "last_event_id="+url.QueryEscape(id)) {
		t.Errorf("asked for %s, want %s in it", got, id)
	}
}
