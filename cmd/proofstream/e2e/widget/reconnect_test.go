package widget

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"

	"proofstream/cmd/proofstream/e2e"
)

// longestDelays goes before the widget. It makes every random delay as long as possible.
const longestDelays = `<script>Math.random = () => .999</script>`

// names is JavaScript for the user names on the cards that a page has shown.
const names = "shows().map(e => e.user_name).join()"

// After a gap that resends the kept events, the page shows those that it missed, and no signup that it has shown or dropped, though it remembers
// fewer ids than there are events. After a gap that starts at the newest id, it shows new events.
func TestWidgetShowsNothingTwiceAfterAGap(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_RETAIN=240", "PROOF_RETRY=200ms")
	f := e2e.StartHTTPProxy(t, p)
	f.OnResponse(func(r *http.Response) { r.Body = e2e.ThrottledBody{ReadCloser: r.Body} }) // leaves time to show a card that must not show
	p.PostMany(t, "past", 5)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(f.URL, `data-duration="20" data-cooldown="0" data-recent="2"`, "")))
	p.AwaitSubscribers(t, 1)
	ids := p.PostMany(t, "early", 230) // more than the 200 ids that the page remembers
	epoch, _, _ := strings.Cut(ids[0], "-")
	e2e.AwaitJS(t, tab, "shows().at(-1)?.user_name == 'early229'")
	for _, c := range []struct {
		cursor, reason string
		missed         int // how many of the three missed signups show
	}{
		{"elsewhere-7", "epoch", 3},
		{epoch + "-1", "expired", 3},
		{epoch + "-99999999", "ahead", 0},
		{"nonsense", "malformed", 0},
	} {
		before := e2e.Eval[int](t, tab, "shows().length")
		f.Replace("/events", e2e.Unavailable)
		f.AwaitCount(t, "/events", f.Count("/events")+1)
		p.PostMany(t, c.reason, 3)
		f.OnRequest(func(r *http.Request) {
			if r.URL.Path == "/events" {
				r.Header.Del("Last-Event-ID")
				r.URL.RawQuery = "last_event_id=" + c.cursor
			}
		})
		probe := p.Listen(t, "?last_event_id="+c.cursor)
		if got := probe.Ready(t).Data; !strings.Contains(got, `"reason":"`+c.reason) {
			t.Fatalf("%s: the service says %s, want %s", c.cursor, got, c.reason)
		}
		probe.Close()
		p.AwaitSubscribers(t, 0)
		f.Replace("/events", nil)
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

// The widget reopens a stream from the last id when it has received no event for five minutes, give or take a fifth: the connection may be
// dead. A stream with events stays open.
func TestWidgetRebuildsASilentStream(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_HEARTBEAT=200ms") // a page does not see heartbeats
	f := e2e.StartHTTPProxy(t, p)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.FastClock+e2e.WidgetPage(f.URL, e2e.Quick, "")))
	p.AwaitSubscribers(t, 1)
	id := p.Post(t)
	e2e.AwaitShows(t, tab, 1) // the page knows that its stream is open
	for i := range 2 {
		e2e.PassTime(t, tab, 230*time.Second)
		id = p.Post(t)
		e2e.AwaitShows(t, tab, i+2)
	}
	if got := f.Count("/events"); got != 1 {
		t.Fatalf("%d streams, want one: an event arrived every four minutes", got)
	}
	e2e.PassTime(t, tab, 370*time.Second)
	f.AwaitCount(t, "/events", 2)
	if got, want := f.Last("/events"), "last_event_id="+id; !strings.Contains(got, want) {
		t.Errorf("requested %s, want %s in it", got, want)
	}
	p.AwaitSubscribers(t, 1)
}

// The page is offline for so long that the next attempt is a minute away. It reconnects as soon as it is online, and shows what it missed
// once.
func TestWidgetReconnectsAfterOffline(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_RETRY=200ms")
	f := e2e.StartHTTPProxy(t, p)
	tab := e2e.Tab(t, e2e.ServePage(t, longestDelays+e2e.FastClock+e2e.WidgetPage(f.URL, e2e.Quick, "")))
	p.AwaitSubscribers(t, 1)
	p.Post(t, "user_name=before")
	e2e.AwaitShows(t, tab, 1)
	for i := range 2 {
		offline(t, tab, true)
		f.CloseClientConnections()
		p.AwaitSubscribers(t, 0)
		p.Post(t, fmt.Sprint("user_name=missed", i))
		for range 8 {
			e2e.PassTime(t, tab, 20*time.Second)
		}
		if got := e2e.Eval[int](t, tab, "shows().length"); got != 2*i+1 {
			t.Fatalf("%d cards, want %d: the page is not offline", got, 2*i+1)
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

// offline emulates the loss of the network in a tab, or its return.
func offline(t *testing.T, tab context.Context, away bool) {
	t.Helper()
	e2e.Call(t, tab, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{Offline: away, DownloadThroughput: -1, UploadThroughput: -1}}})
	e2e.Call(t, tab, network.OverrideNetworkState, network.OverrideNetworkStateParams{
		Offline: away, DownloadThroughput: -1, UploadThroughput: -1})
	e2e.AwaitJS(t, tab, fmt.Sprintf("navigator.onLine == %v", !away))
}

// A 503 makes an EventSource give up. The widget opens a new one, with growing delays, and resumes from its last id in the end.
func TestWidgetRetriesARefusedStreamWithBackOff(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	tab := e2e.Tab(t, e2e.ServePage(t, longestDelays+e2e.FastClock+e2e.WidgetPage(f.URL, e2e.Quick, "")))
	p.AwaitSubscribers(t, 1)
	p.Post(t, "user_name=before")
	e2e.AwaitShows(t, tab, 1)
	f.Replace("/events", e2e.Unavailable)
	before := f.Count("/events")
	f.AwaitCount(t, "/events", before+1)
	for range 60 {
		e2e.PassTime(t, tab, 4*time.Second)
	}
	// In four minutes, after 1, 3, 7, 15, 31, 63, 123, 183 seconds, and then each minute.
	if got := f.Count("/events") - before; got > 12 {
		t.Errorf("%d requests in four minutes, want about 10", got)
	}
	p.Post(t, "user_name=missed")
	f.Replace("/events", nil)
	e2e.PassTime(t, tab, 60*time.Second)
	if got, want := fmt.Sprint(e2e.AwaitShows(t, tab, 2)), "[before missed]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// After a drop that is answered with 503 the page tries again within 1, 2 and 4 s; the browser's own try does not count.
func TestWidgetRetriesSoonAfterADrop(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_RETRY=200ms")
	f := e2e.StartHTTPProxy(t, p)
	tab := e2e.Tab(t, e2e.ServePage(t, longestDelays+e2e.WidgetPage(f.URL, e2e.Quick, "")))
	p.AwaitSubscribers(t, 1)
	e2e.AwaitJS(t, tab, "heard.length")
	tried := make(chan time.Time, 100)
	f.Replace("/events", func(w http.ResponseWriter, r *http.Request) {
		tried <- time.Now()
		e2e.Unavailable(w, r)
	})
	f.CloseClientConnections()
	before := <-tried // the browser's own
	for _, longest := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		now := <-tried
		if got := now.Sub(before); got < longest-100*time.Millisecond || got > longest+900*time.Millisecond {
			t.Errorf("tried after %v, want %v at the longest jitter", got, longest)
		}
		before = now
	}
}

// A page that gets busy at the connection limit keeps its cursor, also when its EventSource is a new one without an id. It shows what it
// missed when another stream closes.
func TestWidgetWaitsAtTheConnectionLimit(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_MAX_SUBSCRIBERS=1", "PROOF_RETRY=500ms")
	f := e2e.StartHTTPProxy(t, p)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.FastClock+e2e.WidgetPage(f.URL, e2e.Quick, "")))
	p.AwaitSubscribers(t, 1)
	id := p.Post(t, "user_name=before")
	e2e.AwaitShows(t, tab, 1)
	f.Replace("/events", e2e.Unavailable) // makes the page open a new EventSource
	f.AwaitCount(t, "/events", 2)
	p.AwaitSubscribers(t, 0)
	guest := p.Listen(t, "")
	guest.Ready(t)
	p.Post(t, "user_name=missed")
	f.Replace("/events", nil)
	before := f.Count("/events")
	f.AwaitCount(t, "/events", before+1)
	e2e.AwaitJS(t, tab, "heard.some(e => e.startsWith('busy'))")
	guest.Close()
	p.AwaitSubscribers(t, 0)
	e2e.PassTime(t, tab, 60*time.Second) // longer than the widget waits for the browser's own attempt
	f.AwaitCount(t, "/events", before+2)
	if got, want := fmt.Sprint(e2e.AwaitShows(t, tab, 2)), "[before missed]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := f.Last("/events"); !strings.Contains(got, "last_event_id="+url.QueryEscape(id)) {
		t.Errorf("requested %s, want %s in it", got, id)
	}
}
