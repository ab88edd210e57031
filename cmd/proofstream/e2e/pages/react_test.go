package pages

import (
	"bytes"
	_ "embed"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

var (
	//go:embed testdata/page.js
	reactPage string
	//go:embed testdata/client.js
	reactClient string
)

// commonJS has the modules of React that a browser needs, by version, in the order in which they require each other.
var commonJS = map[string][][2]string{
	"18": {{"react", "react/cjs/react.production.min.js"}, {"scheduler", "scheduler/cjs/scheduler.production.min.js"},
		{"react-dom", "react-dom/cjs/react-dom.production.min.js"}},
	"19": {{"react", "react/cjs/react.production.js"}, {"scheduler", "scheduler/cjs/scheduler.production.js"},
		{"react-dom", "react-dom/cjs/react-dom.production.js"}, {"react-dom/client", "react-dom/cjs/react-dom-client.production.js"}},
}

// clientScript returns the script that hydrates the page with a version of React.
func clientScript(t *testing.T, version, widget string) string {
	var script strings.Builder
	fmt.Fprintf(&script, "const widget = %q, modules = {}, require = name => modules[name]\n", widget)
	for _, module := range commonJS[version] {
		source := readPackage(t, version, "node_modules", module[1])
		fmt.Fprintf(&script, "{ const module = {exports: {}}; (exports => {%s\n})(module.exports); modules[%q] = module.exports }\n", source, module[0])
	}
	return script.String() + reactPage + reactClient
}

// React hydrates a whole document while its body still arrives: it finds nothing of the widget in it, and cards show afterwards.
func TestReactHydratesTheWholeDocument(t *testing.T) {
	t.Parallel()
	dir := needPackages(t)
	for version := range commonJS {
		t.Run("React "+version, func(t *testing.T) {
			t.Parallel()
			p := e2e.Start(t)
			widget := p.URL + "/assets/proof.js"
			tab := e2e.Tab(t, serveReact(t, filepath.Join(dir, version), widget, clientScript(t, version, widget)))
			e2e.AwaitJS(t, tab, "window.hydrated && document.getElementById('late')")
			p.AwaitSubscribers(t, 1)
			p.Post(t, "user_name=Ada")
			e2e.AwaitShows(t, tab, 1)
			if faults := e2e.Eval[[]string](t, tab, "faults"); len(faults) > 0 {
				t.Errorf("React complains: %q", faults)
			}
			if got := e2e.Eval[string](t, tab, "[...document.body.querySelectorAll('h1, #late, proof-popup')].map(e => e.localName).join()"); got != "h1,p,proof-popup" {
				t.Errorf("the body has %s, want h1,p,proof-popup", got)
			}
		})
	}
}

// serveReact serves the page, rendered by the React in dir. What is before reactEnd arrives first, the rest once the widget's script
// has run, and the end of the body once the page is hydrated.
func serveReact(t *testing.T, dir, widget, client string) (url string) {
	ran, hydrated := make(chan struct{}), make(chan struct{})
	scripts := map[string]string{"/client.js": client, "/witness.js": strings.NewReplacer("<script>", "", "</script>", "").Replace(e2e.Witness) + reactWitness}
	told := map[string]func(){"/ran": sync.OnceFunc(func() { close(ran) }), "/hydrated": sync.OnceFunc(func() { close(hydrated) })}
	return e2e.ServeHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			if err := render(w, dir, widget, ran, hydrated); err != nil {
				t.Errorf("render the page: %v", err)
			}
			return
		}
		if tell := told[r.URL.Path]; tell != nil {
			tell()
		}
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		fmt.Fprint(w, scripts[r.URL.Path])
	})).URL
}

// reactWitness is JavaScript that requests /ran once the widget's script has run.
const reactWitness = `
const look = () => performance.getEntriesByType('resource').some(entry => entry.name.includes('/proof.js')) ?
	setTimeout(() => fetch('/ran'), 50) : setTimeout(look, 10)
look()
`

// reactEnd is HTML of the page in what React's server writes first.
const reactEnd = "<p>The end</p>"

// render runs React's server, and writes the page to w in three parts.
func render(w http.ResponseWriter, dir, widget string, ran, hydrated <-chan struct{}) error {
	script, err := filepath.Abs("testdata/server.cjs")
	if err != nil {
		return err
	}
	server := exec.Command("node", script, widget)
	server.Dir = dir
	e2e.DieWithUs(server)
	stdin, err := server.StdinPipe()
	if err != nil {
		return err
	}
	go func() {
		<-hydrated
		stdin.Close()
	}()
	server.Stdout = &parts{w: w, ran: ran}
	return server.Run()
}

// parts holds back what follows reactEnd until ran is closed, and sends each write at once.
type parts struct {
	w   http.ResponseWriter
	ran <-chan struct{}
}

func (p *parts) Write(b []byte) (int, error) {
	if first, rest, found := bytes.Cut(b, []byte(reactEnd)); found {
		p.send(first)
		<-p.ran
		p.send([]byte(reactEnd))
		p.send(rest)
	} else {
		p.send(b)
	}
	return len(b), nil
}

func (p *parts) send(b []byte) {
	_, _ = p.w.Write(b) // a page that is cut fails the test
	p.w.(http.Flusher).Flush()
}
