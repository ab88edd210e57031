package e2e

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"proofstream/stream/waitfor"
)

// browser is the one browser of a test process.
var browser struct {
	once sync.Once
	ctx  context.Context
	err  error
	end  []context.CancelFunc
}

// browserPath returns the path of a Chromium or Chrome: $CHROME, or the first that is in PATH.
func browserPath() (string, error) {
	names := []string{os.Getenv("CHROME"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no Chromium or Chrome found: install one (apt-get install chromium), or set CHROME to its path")
}

// NeedBrowser skips a test with -short, and when there is no browser. With CI=true a missing browser fails the test.
func NeedBrowser(t *testing.T) {
	t.Helper()
	Slow(t)
	if _, err := browserPath(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// startBrowser starts the browser that all tests of a package share.
func startBrowser() {
	path, err := browserPath()
	if err != nil {
		browser.err = err
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.Flag("headless", "new"),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	alloc, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end2 := chromedp.NewContext(alloc)
	browser.end = []context.CancelFunc{end2, end}
	browser.ctx, browser.err = ctx, chromedp.Do(ctx)
}

func closeBrowser() {
	for _, end := range browser.end {
		end()
	}
}

// Tab opens an address in a tab of a new browser context, which shares no storage with others. The returned context is for
// chromedp; it ends with the test.
func Tab(t *testing.T, url string) context.Context {
	t.Helper()
	NeedBrowser(t)
	browser.once.Do(startBrowser)
	if browser.err != nil {
		t.Fatalf("start the browser: %v", browser.err)
	}
	ctx, cancel := chromedp.NewContext(browser.ctx, chromedp.WithNewBrowserContext())
	return navigate(t, ctx, cancel, url)
}

// NewWindow opens an address in a window of its own in the browser context of another tab. Both are visible.
func NewWindow(t *testing.T, of context.Context, url string) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(of)
	return navigate(t, ctx, cancel, url)
}

func navigate(t *testing.T, ctx context.Context, cancel context.CancelFunc, url string) context.Context {
	t.Helper()
	t.Cleanup(cancel)
	name := t.Name()
	err := chromedp.Listen(ctx, func(ev any) {
		if thrown, ok := ev.(*runtime.EventExceptionThrown); ok {
			fmt.Fprintf(os.Stderr, "%s: the page threw: %+v\n", name, thrown.ExceptionDetails)
		}
	})
	if err == nil {
		err = chromedp.Do(ctx, chromedp.Navigate(url))
	}
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	return ctx
}

// Eval runs JavaScript in a tab and returns its value, after awaiting a promise. T is chromedp.Void when there is no value. It fails
// the test after waitfor.Patience.
func Eval[T any](t testing.TB, tab context.Context, js string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, waitfor.Patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("evaluate %s: %v", js, err)
	}
	return value
}

// AwaitJS waits until a JavaScript expression is truthy in a tab.
func AwaitJS(t testing.TB, tab context.Context, js string) {
	t.Helper()
	waitfor.Until(t, waitfor.Patience, func() bool { return Eval[bool](t, tab, "!!("+js+")") }, func() string { return "not true: " + js })
}

// ServePage serves one page on its own origin, a free port of the loopback, and returns its address.
func ServePage(t testing.TB, html string) (url string) {
	t.Helper()
	return ServeFiles(t, map[string]string{"/": html})
}

// ServeFiles serves pages by path on one origin, and returns the address of "/".
func ServeFiles(t testing.TB, pages map[string]string) (url string) {
	t.Helper()
	return ServeHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		html, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, html)
	})).URL + "/"
}

// ServeHandler starts an HTTP server that runs until the test ends.
func ServeHandler(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}
