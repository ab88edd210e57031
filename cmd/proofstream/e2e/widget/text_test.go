package widget

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// hostileTexts are known attacks on pages that show text of strangers. If one works, hacked is called.
var hostileTexts = []string{
	`<script>hacked()</script>`, `<img src=x onerror=hacked()>`, `<svg onload=hacked()>`, `<svg/onload=hacked()//`,
	`"><script>hacked()</script>`, `'><img src=x onerror=hacked()>`, `</p><script>hacked()</script>`, `</style><script>hacked()</script>`,
	`</title><script>hacked()</script>`, `--><script>hacked()</script>`, `]]><script>hacked()</script>`, `<iframe src="javascript:hacked()">`,
	`<iframe srcdoc="<script>parent.hacked()</script>">`, `<body onload=hacked()>`, `<details open ontoggle=hacked()>`,
	`<video><source onerror=hacked()>`, `<input autofocus onfocus=hacked()>`, `<marquee onstart=hacked()>`,
	`<math><mtext><table><mglyph><style><img src=x onerror=hacked()>`, `<a href="javascript:hacked()">x</a>`,
	`<object data="javascript:hacked()">`, `<embed src="javascript:hacked()">`, `<form action="javascript:hacked()"><button>`,
	`<base href="https://evil.example/">`, `<link rel=stylesheet href=https://evil.example/x.css>`, `<meta http-equiv=refresh content="0;url=javascript:hacked()">`,
	`javascript:hacked()`, `{{constructor.constructor('hacked()')()}}`, `${hacked()}`, `<%= hacked() %>`, `{user_name}{offer_name}{place}`,
	`&lt;script&gt;hacked()&lt;/script&gt;`, `&#60;script&#62;hacked()`, `\u003cscript\u003ehacked()\u003c/script\u003e`,
	`<ScRiPt>hacked()</sCrIpT>`, `<img src="x" onerror="hacked()`, `<style>@import 'https://evil.example/x.css'</style>`, `$& $1 $' $$`,
	`<proof-popup></proof-popup>`, `<slot></slot>`, `__proto__`, `constructor`,
}

// The widget shows every text as text, in every field.
func TestWidgetShowsEveryTextAsText(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := p.Open(t, `data-duration="5" data-cooldown="0" data-template="{user_name}|{offer_name}|{place}" data-dismiss="card"`)
	e2e.Eval[chromedp.Void](t, tab, `window.hacked = () => { window.wasHacked = true }; window.shown = [];
		addEventListener('proof:show', () => shown.push([says(), [...part('message').querySelectorAll('*')].map(e => e.localName).join()]))`)
	for i, text := range hostileTexts {
		p.Post(t, "user_name="+text, "offer_name="+text, "place="+text)
		e2e.AwaitShows(t, tab, i+1)
	}
	shown := e2e.Eval[[][]string](t, tab, "shown")
	for i, text := range hostileTexts {
		text = strings.Join(strings.Fields(text), " ")
		if want := text + "|" + text + "|" + text; shown[i][0] != want || shown[i][1] != "bdi,bdi,bdi" {
			t.Errorf("got %q in elements %s, want %q in three of bdi", shown[i][0], shown[i][1], want)
		}
	}
	if e2e.Eval[bool](t, tab, "!!window.wasHacked") {
		t.Error("a script ran")
	}
	if got := e2e.Eval[[]string](t, tab, `performance.getEntriesByType('resource').map(e => e.name).filter(name => !name.startsWith('`+p.URL+`/assets/'))`); len(got) > 0 {
		t.Errorf("requests were made: %v", got)
	}
}

// The widget refuses every address that the service refuses as a picture or a link, and those that it would have encoded.
func TestWidgetRefusesAddressesThatTheServiceRefuses(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	refused := []string{"javascript:hacked()", "JaVaScRiPt:hacked()", " javascript:hacked()", "data:text/html,x", "data:image/svg+xml,<svg/onload=hacked()>",
		"vbscript:x", "//evil.example/", "///evil.example/", `/\evil.example/`, `\\evil.example\`, "http://evil.example/", "https:evil.example", "https:/evil.example",
		"https://user@evil.example/", "https://user:word@evil.example/", "ftp://evil.example/", "blob:https://evil.example/x", "file:///etc/passwd",
		"/%2Fevil.example", "/%5cevil.example", "/%0a/evil.example", "/%1F", "/a\tb", "/a\"b", "/a<b", "relative", "?x", "#x", "", "https://", "https:///path",
		"/" + strings.Repeat("a", 2048)}
	encoded := []string{"/a b", "/\u00e9"} // by the service, so that the stream never has them
	accepted := []string{"/", "/offers?a=1&b=%20#top", "https://example.com", "https://example.com:8443/x?y#z", "HTTPS://EXAMPLE.COM/", "https://[2001:db8::1]/"}
	for _, address := range append(refused, accepted...) {
		got := p.Request(t, "POST", "/signup", e2e.MustJSON(map[string]string{"url": address}), "Content-Type: application/json", "Authorization: Bearer "+p.Key).Status
		if want := 422; (got == want) != slices.Contains(refused, address) && strings.TrimSpace(address) != "" {
			t.Fatalf("the service responds with %d to %q", got, address)
		}
	}
	frames := make(chan string)
	f := e2e.StartHTTPProxy(t, p)
	f.Replace("/events", e2e.FakeStream(frames))
	page := e2e.ServePage(t, e2e.WidgetPage(f.URL, `data-duration="60" data-cooldown="0"`, ""))
	tab := e2e.Tab(t, page)
	e2e.Eval[chromedp.Void](t, tab, `window.shown = []; addEventListener('proof:show', () =>
		shown.push([part('message').querySelector('a')?.getAttribute('href') ?? 'none', part('image').getAttribute('src')]))`)
	for i, address := range slices.Concat(refused, encoded, accepted) {
		frames <- e2e.SignupFrame(fmt.Sprintf("made-%d", i+2), 0, "url="+address, "img_path="+address)
		e2e.AwaitShows(t, tab, i+1)
		shown := e2e.Eval[[]string](t, tab, fmt.Sprintf("shown[%d]", i))
		link, image := address, address
		if strings.HasPrefix(address, "/") { // it belongs to the page
			link = strings.TrimSuffix(page, "/") + address
			image = link
		}
		if i < len(refused)+len(encoded) {
			link, image = "none", f.URL+"/assets/default.svg"
		}
		if shown[0] != link || shown[1] != image {
			t.Errorf("%q: got link %s and picture %s, want %s and %s", address, shown[0], shown[1], link, image)
		}
	}
}

// When a picture fails, is slow or is blocked, the same box has a neutral picture, never that of the previous card.
func TestWidgetPictureBoxStays(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	release := make(chan struct{})
	html := e2e.WidgetPage(p.URL, `data-duration="60000" data-cooldown="0" data-dismiss="card"`, "")
	url := e2e.ServeHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Security-Policy", "img-src 'self' "+p.URL)
			fmt.Fprint(w, html)
		case "/slow.svg":
			<-release
			fallthrough
		case "/good.svg":
			w.Header().Set("Content-Type", "image/svg+xml")
			fmt.Fprint(w, `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>`)
		default:
			http.NotFound(w, r)
		}
	})).URL + "/"
	defer close(release)
	tab := e2e.Tab(t, url)
	p.AwaitSubscribers(t, 1)
	var neutral []byte // as it looks
	for i, c := range []struct{ path, neutral string }{
		{"/good.svg", "false"}, {"/slow.svg", "true"}, {"/good.svg", "false"}, {"/missing.png", "true"}, {"https://blocked.example/x.png", "true"},
	} {
		p.Post(t, "img_path="+c.path)
		e2e.AwaitShows(t, tab, i+1)
		state := `(() => { const image = part('image'), style = getComputedStyle(image); return [image.offsetWidth, image.offsetHeight, style.backgroundImage != 'none'].join() })()`
		if c.neutral == "false" {
			e2e.AwaitJS(t, tab, "part('image').complete && part('image').style.background")
		}
		side := e2e.Eval[float64](t, tab, "parseFloat(getComputedStyle(part('card')).fontSize) * 3")
		if got, want := e2e.Eval[string](t, tab, state), fmt.Sprintf("%.0f,%.0f,%s", side, side, c.neutral); got != want {
			t.Errorf("%s: width, height, neutral: got %s, want %s", c.path, got, want)
		}
		if c.path == "/slow.svg" && e2e.Eval[bool](t, tab, "part('image').naturalWidth > 0") {
			t.Error("the previous card's picture is beside the next name")
		}
		if c.path == "/missing.png" || c.path[0] == 'h' {
			e2e.AwaitJS(t, tab, "!part('image').hasAttribute('src')")
		}
		if looks := looksOf(t, tab, "image"); c.neutral == "false" && bytes.Equal(looks, neutral) {
			t.Errorf("%s looks neutral", c.path)
		} else if neutral == nil && c.neutral == "true" {
			neutral = looks
		} else if c.neutral == "true" && !bytes.Equal(looks, neutral) {
			t.Errorf("%s does not look neutral", c.path)
		}
		e2e.Eval[chromedp.Void](t, tab, "part('close').click()")
	}
}

// looksOf returns a picture of a part of the card that is still.
func looksOf(t *testing.T, tab context.Context, part string) []byte {
	t.Helper()
	box := e2e.Eval[[]float64](t, tab, "(() => { part('card').style.transition = 'none'; const r = part('"+part+"').getBoundingClientRect(); return [r.x, r.y, r.width, r.height] })()")
	return e2e.Call(t, tab, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Clip: &page.Viewport{X: box[0], Y: box[1], Width: box[2], Height: box[3], Scale: 1}}).Data
}

// Ages are correct when the visitor's clock is a day off. "just" means less than five minutes. The age of a visible card is updated.
func TestWidgetShowsTrueAges(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	const just, past = "Ada just signed up with Spring Sale!", "Ada signed up with Spring Sale"
	for _, clock := range []string{"-864e5", "0", "864e5"} {
		frames := make(chan string)
		f := e2e.StartHTTPProxy(t, p)
		f.Replace("/events", e2e.FakeStream(frames))
		attributes := `data-recent="20" data-cooldown="0" data-dismiss="card"`
		html := strings.Replace(e2e.WidgetPage(f.URL, attributes, ""), "ahead = 0", "ahead = "+clock, 1)
		tab := e2e.Tab(t, e2e.ServePage(t, html))
		for i, c := range []struct {
			age            time.Duration
			reads, message string
		}{
			{time.Second, "now", just},
			{2*time.Minute + 20*time.Second, "2 minutes ago", just},
			{61 * time.Minute, "1 hour ago", past},
			{25 * time.Hour, "1 day ago", past},
			{47 * time.Hour, "1 day ago", past},
			{4*time.Minute + 40*time.Second, "4 minutes ago", just},
		} {
			frames <- e2e.SignupFrame(fmt.Sprintf("made-%d", i+2), c.age)
			e2e.AwaitShows(t, tab, i+1)
			if got := e2e.Eval[string](t, tab, "says() + ' ' + part('time').textContent"); got != c.message+" "+c.reads {
				t.Errorf("clock off by %s, %v old: got %q, want %q and %q", clock, c.age, got, c.message, c.reads)
			}
			if i < 5 {
				e2e.Eval[chromedp.Void](t, tab, "part('close').click()")
			}
		}
		e2e.Eval[chromedp.Void](t, tab, "document.getElementById('proof-popup').pause(); ahead += 4e4")
		e2e.AwaitJS(t, tab, "part('time').textContent == '5 minutes ago' && says() == '"+past+"'")
		if err := chromedp.Cancel(tab); err != nil {
			t.Fatal(err)
		}
	}
}

// Without a stream the widget takes the service's time from the response to /recent, also on another origin: ages are correct when the
// visitor's clock is a day off.
func TestWidgetShowsTrueAgesWithoutAStream(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	f.Replace("/events", e2e.Hang)
	then := regexp.MustCompile(`"at":"[^"]*"`)
	f.OnResponse(func(r *http.Response) {
		if r.Request.URL.Path == "/recent" { // the service cannot back-date a signup
			body, _ := io.ReadAll(r.Body) // a short one fails below
			body = then.ReplaceAll(body, []byte(time.Now().Add(-150*time.Second).UTC().Format(`"at":"2006-01-02T15:04:05.000Z"`)))
			r.Body = io.NopCloser(bytes.NewReader(body))
			r.Header.Del("Content-Length")
			r.ContentLength = -1
		}
	})
	p.Post(t, "user_name=Ada", "offer_name=Spring Sale")
	for _, clock := range []string{"-864e5", "864e5"} {
		html := strings.Replace(e2e.WidgetPage(f.URL, `data-recent="1"`, ""), "ahead = 0", "ahead = "+clock, 1)
		tab := e2e.Tab(t, e2e.ServePage(t, html))
		e2e.AwaitShows(t, tab, 1)
		if got, want := e2e.Eval[string](t, tab, "says() + ' ' + part('time').textContent"), "Ada just signed up with Spring Sale! 2 minutes ago"; got != want {
			t.Errorf("clock off by %s: got %q, want %q", clock, got, want)
		}
	}
}

// On a quiet site past events show with their age. Live events show first.
func TestWidgetShowsThePastOnQuietSites(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	p.PostMany(t, "past", 4)
	tab := e2e.Tab(t, e2e.ServePage(t, e2e.WidgetPage(p.URL, e2e.Quick+` data-recent="3" data-delay="6000"`, "")))
	p.AwaitSubscribers(t, 1)
	p.Post(t, "user_name=live")
	e2e.AwaitShows(t, tab, 4)
	p.Post(t, "user_name=marker")
	if got, want := fmt.Sprint(e2e.AwaitShows(t, tab, 5)), "[live past1 past2 past3 marker]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
