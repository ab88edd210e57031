package widget

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// keyOfDefault is the API key of the site default in tests with two sites.
const keyOfDefault = "key-of-the-site-default"

// openDemo opens the demo page of a program with a key, and waits until it has listed what is kept.
func openDemo(t *testing.T, url, key string) context.Context {
	t.Helper()
	tab := e2e.Tab(t, url+"/#key="+key)
	e2e.Eval[chromedp.Void](t, tab, setControls)
	return tab
}

// Beside the site the demo page says that a name is invalid, that the service has no such site, and that the key belongs to another
// one. Nothing is posted then.
func TestDemoPageSaysWhatIsWrongWithTheSite(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "PROOF_API_KEYS="+keyOfDefault, "PROOF_SITES_0_NAME=shop", "PROOF_SITES_0_API_KEYS="+e2e.TestKey, "PROOF_SITES_0_ALLOWED_ORIGINS=*")
	p.Post(t, "user_name=Ada")
	tab := openDemo(t, p.URL, p.Key)
	e2e.AwaitJS(t, tab, "document.querySelectorAll('#kept li').length == 1")
	const told = "adjust.elements.site.parentElement.parentElement.querySelector('.trouble')?.textContent ?? ''"
	for _, c := range []struct{ name, key, site, want, snippet string }{
		{"a name that no site can have", keyOfDefault, "My Shop", "1 to 63 characters", ""},
		{"a site that the service does not have", keyOfDefault, "toys", "no site called toys", ""},
		{"a site with another key", keyOfDefault, "shop", "belongs to another site, not to shop", `data-site="shop"`},
		{"a key of another site", e2e.TestKey, "", "belongs to another site, not to default", "<script async"},
	} {
		e2e.Eval[chromedp.Void](t, tab, "send.elements.key.value = '"+c.key+"'; send.elements.key.dispatchEvent(new Event('change'))")
		e2e.Eval[chromedp.Void](t, tab, "setControls({site: '"+c.site+"'})")
		e2e.AwaitJS(t, tab, "("+told+").includes('"+c.want+"') && adjust.elements.site.ariaInvalid == 'true'")
		e2e.AwaitJS(t, tab, "'"+c.snippet+"' ? snippet.textContent.includes('"+c.snippet+"') : !snippet.textContent && copy.disabled")
		e2e.Eval[chromedp.Void](t, tab, "outcome.textContent = ''; document.querySelector('#send .primary').click()")
		e2e.AwaitJS(t, tab, "outcome.textContent.startsWith('Not sent') && document.activeElement == adjust.elements.site")
	}
	checkAccessible(t, tab)
	e2e.Eval[chromedp.Void](t, tab, "setControls({site: 'shop'})")
	e2e.AwaitJS(t, tab, "!("+told+") && !adjust.elements.site.ariaInvalid")
	if got := p.Get(t, "/recent").Body + p.Get(t, "/recent?site=shop").Body; strings.Count(got, `"id"`) != 1 {
		t.Errorf("got signups %s, want only the one posted before", got)
	}
}

// checkAccessible runs axe-core on the demo page, with a kept signup and what is wrong in view, in light and dark.
func checkAccessible(t *testing.T, tab context.Context) {
	t.Helper()
	source, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	e2e.Eval[chromedp.Void](t, tab, string(source))
	e2e.Eval[chromedp.Void](t, tab, "document.getElementById('add-kind').click(); document.querySelectorAll('details').forEach(d => d.open = true)")
	for _, scheme := range []string{"light", "dark"} {
		e2e.Media(t, tab, "prefers-color-scheme", scheme)
		if got := e2e.Eval[[]string](t, tab, axe); len(got) > 0 {
			t.Errorf("%s: axe finds %s", scheme, strings.Join(got, "\n"))
		}
	}
}

// A preview shows the card that the form describes, marked as a test, on the page or on the phone. It posts nothing and needs no key.
func TestDemoPagePreviewsWithoutPosting(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	tab := e2e.Tab(t, p.URL+"/")
	const says = `(root => ['message', 'time'].map(part => root?.querySelector('[part=' + part + ']').textContent).join(' | '))(%s?.querySelector('#proof-popup.visible')?.shadowRoot)`
	e2e.AwaitJS(t, tab, "document.getElementById('proof-popup')?.show")
	e2e.Eval[chromedp.Void](t, tab, "send.elements.user_name.value = ''; send.elements.offer_name.value = 'Mugs'; document.getElementById('show').click()")
	e2e.AwaitJS(t, tab, fmt.Sprintf(says, "document")+" == 'someone just signed up with Mugs! | Test · now'")
	e2e.Eval[chromedp.Void](t, tab, "document.querySelector('[value=phone]').click()")
	e2e.AwaitJS(t, tab, "frame.contentDocument?.getElementById('proof-popup')?.show")
	e2e.Eval[chromedp.Void](t, tab, "document.getElementById('show').click()")
	e2e.AwaitJS(t, tab, fmt.Sprintf(says, "frame.contentDocument")+" == 'someone just signed up with Mugs! | Test · now'")
	if got := p.Get(t, "/recent").Body; !strings.Contains(got, `"events":[]`) {
		t.Errorf("the service keeps %s, want nothing", got)
	}
}

// Behind a proxy that adds a path, the demo page works, and the snippet, the command and the policy have that path. The page names the
// line that lets a page of another origin read the events.
func TestDemoPageUnderAPath(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	f := e2e.StartHTTPProxy(t, p)
	f.OnRequest(func(r *http.Request) {
		if path, ok := strings.CutPrefix(r.URL.Path, "/proof/"); ok {
			r.URL.Path = "/" + path
		} else {
			r.URL.Path = "/outside" + r.URL.Path
		}
	})
	tab := openDemo(t, f.URL+"/proof", p.Key)
	p.AwaitSubscribers(t, 1)
	for element, want := range map[string]string{
		"snippet": `src="` + f.URL + `/proof/assets/proof.js"`, "curl": "curl " + f.URL + "/proof/signup ", "policy": f.URL + "/proof/"} {
		if got := e2e.Eval[string](t, tab, "document.getElementById('"+element+"').textContent"); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s in it", element, got, want)
		}
	}
	if got, want := e2e.Eval[string](t, tab, "location.href + getComputedStyle(document.querySelector('.bare')).display"), f.URL+"/proof/none"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	e2e.Eval[chromedp.Void](t, tab, "pin.click()")
	e2e.AwaitJS(t, tab, "/\\/proof\\/assets\\/proof\\.\\w{12}\\.js/.test(snippet.textContent)")
	e2e.Eval[chromedp.Void](t, tab, "document.querySelector('[value=phone]').click()")
	e2e.AwaitJS(t, tab, "frame.contentDocument?.querySelector('#proof-popup')?.shadowRoot.querySelector('[part=card]').hidden === false")
	e2e.Eval[chromedp.Void](t, tab, "document.querySelector('#send .primary').click()")
	e2e.AwaitJS(t, tab, "frame.contentDocument.querySelector('#proof-popup.visible') && document.querySelectorAll('#kept li').length == 1")
	for _, r := range f.Requests() {
		if strings.HasPrefix(r, "/outside") || !strings.HasPrefix(r, "/proof/") {
			t.Errorf("the page requested %s, outside its path", r)
		}
	}
	checkOrigins(t, tab, f.URL)
}

// checkOrigins checks what the demo page says for the address of a page.
func checkOrigins(t *testing.T, tab context.Context, own string) {
	t.Helper()
	for _, c := range []struct{ typed, site, line, says string }{
		{"https://shop.example.com/cart?x=1#y", "", "PROOF_ALLOWED_ORIGINS=https://shop.example.com", "environment"},
		{"shop.example.com/cart", "", "PROOF_ALLOWED_ORIGINS=https://shop.example.com", ""},
		{"HTTPS://Shop.Example.com:443", "", "PROOF_ALLOWED_ORIGINS=https://shop.example.com", ""},
		{"https://*.example.com/", "", "PROOF_ALLOWED_ORIGINS=https://*.example.com", ""},
		{"localhost:3000/x", "", "PROOF_ALLOWED_ORIGINS=http://localhost:3000", ""},
		{"https://bücher.example", "shop", "PROOF_SITES_n_ALLOWED_ORIGINS=https://xn--bcher-kva.example", "PROOF_SITES_n_NAME=shop"},
		{own + "/proof/x", "", "", "always allowed"},
		{"file:///home/ada/index.html", "", "", "null"},
		{"null", "", "", "null"},
		{"shop", "", "", "no address"},
		{"ftp://shop.example.com", "", "", "no address"},
		{"", "", "", "has to be allowed"},
	} {
		got := e2e.Eval[[]string](t, tab, `(() => {
			const typed = document.getElementById('address')
			setControls({site: '`+c.site+`'})
			typed.value = '`+c.typed+`'
			typed.dispatchEvent(new Event('input'))
			return [document.getElementById('allow-line').textContent, document.querySelector('.allow').textContent]
		})()`)
		if got[0] != c.line || !strings.Contains(got[1], c.says) {
			t.Errorf("%q, site %q: got %q, want line %q and %q", c.typed, c.site, got, c.line, c.says)
		}
	}
}
