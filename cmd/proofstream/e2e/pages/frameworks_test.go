package pages

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// site serves pages under / and /two, and a script of a package as /library.js.
func site(t *testing.T, library string, page func(title string) string) (url string) {
	t.Helper()
	return e2e.ServeHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/library.js":
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			fmt.Fprint(w, library)
		case "/", "/two":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, page(map[string]string{"/": "page one", "/two": "page two"}[r.URL.Path]))
		default:
			http.NotFound(w, r)
		}
	})).URL
}

// html returns a page with the widget's tag in its head or at the end of its body.
func html(p *e2e.Program, title, head, body string, inHead bool) string {
	tag := `<script async src="` + p.URL + `/assets/proof.js" ` + e2e.Quick + `></script>`
	if inHead {
		head, tag = head+tag, ""
	}
	return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>` + title + `</title><link rel="icon" href="data:,">` + head +
		`</head><body><h1>` + title + `</h1>` + body + tag + `</body></html>`
}

// Turbo and htmx replace the body when a link is followed, and put back a copy of the former one when the visitor returns. Cards show before and after, from one stream, in one element.
func TestWidgetSurvivesFrameworksThatReplaceTheBody(t *testing.T) {
	t.Parallel()
	needPackages(t)
	boosted := `<div hx-boost="true"><a id="link" href="/two">Two</a></div>`
	for _, c := range []struct {
		name, library, body string
		inHead              bool
	}{
		{"Turbo, the tag in the head", readPackage(t, "turbo/dist/turbo.es2017-umd.js"), `<a id="link" href="/two">Two</a>`, true},
		{"Turbo, the tag in the body", readPackage(t, "turbo/dist/turbo.es2017-umd.js"), `<a id="link" href="/two">Two</a>`, false},
		{"htmx, the tag in the head", readPackage(t, "htmx/dist/htmx.min.js"), boosted, true},
		{"htmx, the tag in the body", readPackage(t, "htmx/dist/htmx.min.js"), boosted, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := e2e.Start(t)
			head := e2e.Witness + `<script defer src="/library.js"></script>`
			tab := e2e.Tab(t, site(t, c.library, func(title string) string { return html(p, title, head, c.body, c.inHead) }))
			p.AwaitSubscribers(t, 1)
			p.Post(t)
			e2e.AwaitShows(t, tab, 1)
			for i, step := range []struct{ js, title string }{{"window.same = true; link.click()", "page two"}, {"history.back()", "page one"}} {
				e2e.Eval[chromedp.Void](t, tab, step.js)
				e2e.AwaitJS(t, tab, "document.querySelector('h1')?.textContent == '"+step.title+"'")
				p.Post(t)
				e2e.AwaitShows(t, tab, i+2)
			}
			p.AwaitSubscribers(t, 1)
			if got := e2e.Eval[string](t, tab, "[window.same, document.querySelectorAll('proof-popup').length].join()"); got != "true,1" {
				t.Errorf("the same window, elements: got %s, want true,1", got)
			}
		})
	}
}

// Vue takes the body as its root, before or after the widget has added its element. Cards show in both cases.
func TestWidgetSurvivesVueOnTheBody(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	library := readPackage(t, "vue/dist/vue.global.prod.js")
	const mount = `<script>mount = () => Vue.createApp({template: '<h1>{{ title }}</h1>', data: () => ({title: 'mounted'})}).mount(document.body)</script>`
	for _, when := range []string{"early", "late"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			head := e2e.Witness + `<script src="/library.js"></script>` + mount
			body := ""
			if when == "early" {
				body = "<script>mount()</script>"
			}
			tab := e2e.Tab(t, site(t, library, func(title string) string { return html(p, title, head, body, true) }))
			e2e.AwaitJS(t, tab, "document.querySelector('proof-popup') && heard.length")
			if when == "late" {
				e2e.Eval[chromedp.Void](t, tab, "mount()")
			}
			p.Post(t)
			e2e.AwaitShows(t, tab, 1)
			if got := e2e.Eval[string](t, tab, "document.querySelector('h1').textContent"); got != "mounted" {
				t.Errorf("got the heading %q, want that of Vue", got)
			}
		})
	}
}
