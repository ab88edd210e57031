package pages

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
)

// An optimiser serves a copy of the script from the shop's own host, which has no service. The one line on the console names the
// address that does not work, and further tries come minutes apart.
func TestWidgetSaysThatItWasCopiedToAnotherHost(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	script := p.Get(t, "/assets/proof.js").Body
	style := p.Get(t, "/assets/proof.css").Body
	var streams atomic.Int64
	shop := e2e.ServeHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/":
			fmt.Fprint(w, `<!doctype html><title>A shop</title><link rel="icon" href="data:,"><script>warned = []; console.warn = text => warned.push(text)</script>`+
				e2e.FastClock+e2e.Witness+`<script async src="/cache/min/1/assets/proof.js?ver=1614629419"></script>`)
		case "/cache/min/1/assets/proof.js":
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			fmt.Fprint(w, script)
		case "/cache/min/1/assets/proof.css":
			w.Header().Set("Content-Type", "text/css; charset=utf-8")
			fmt.Fprint(w, style)
		default:
			if strings.HasSuffix(r.URL.Path, "/events") {
				streams.Add(1)
			}
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "<!doctype html><title>Not found</title>")
		}
	}))
	tab := e2e.Tab(t, shop.URL)
	e2e.AwaitJS(t, tab, "warned.length")
	before := streams.Load()
	e2e.PassTime(t, tab, 20*time.Second)
	if got := e2e.Eval[[]string](t, tab, "warned"); len(got) != 1 || !strings.Contains(got[0], "/cache/min/1") {
		t.Errorf("the console says %q, want one line with the address", got)
	}
	if more := streams.Load() - before; more > 1 {
		t.Errorf("%d streams requested in the 20 s after the line, want at most 1", more)
	}
}
