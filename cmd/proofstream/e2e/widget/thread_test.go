package widget

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// minuteWork is the main thread's work in the first minute of a page, on a processor that is four times slower, in milliseconds.
type minuteWork struct {
	tasks, script float64
	longTasks     int // of more than 50 ms
}

// workOf opens a page, and posts one signup if it has a widget.
func workOf(t *testing.T, p *e2e.Program, html string, widget bool) minuteWork {
	t.Helper()
	tab := e2e.Tab(t, "about:blank")
	e2e.Call(t, tab, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks})
	e2e.Call(t, tab, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 4})
	before := metricsOf(t, tab)
	if err := chromedp.Do(tab, chromedp.Navigate(e2e.ServePage(t, html))); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if widget {
		p.AwaitSubscribers(t, 1)
		p.Post(t)
	}
	time.Sleep(time.Minute - time.Since(start)) // the minute is what is measured
	after := metricsOf(t, tab)
	shown := e2e.Eval[int](t, tab, "window.cards ?? 0")
	if widget != (shown == 1) {
		t.Errorf("%d cards", shown)
	}
	return minuteWork{after["TaskDuration"] - before["TaskDuration"], after["ScriptDuration"] - before["ScriptDuration"], e2e.Eval[int](t, tab, "window.long.length")}
}

func metricsOf(t *testing.T, tab context.Context) map[string]float64 {
	t.Helper()
	values := make(map[string]float64)
	for _, metric := range e2e.Call(t, tab, performance.GetMetrics, cdp.Empty{}).Metrics {
		values[metric.Name] = metric.Value * 1000
	}
	return values
}

// In the first minute of a page the widget, which connects and shows a card, takes little of the main thread.
func TestWidgetLeavesThePageItsThread(t *testing.T) {
	e2e.Strong(t)
	p := e2e.Start(t)
	const watch = `<script>var long = [], cards = 0; addEventListener('proof:show', () => cards++)
		new PerformanceObserver(list => long.push(...list.getEntries())).observe({type: 'longtask', buffered: true})</script>`
	const page = `<!doctype html><html lang="en"><title>A page</title>` + watch + `<h1>A page</h1>`
	without := workOf(t, p, page, false)
	with := workOf(t, p, page+`<script async src="`+p.URL+`/assets/proof.js"></script>`, true)
	t.Logf("at a quarter of the speed: %.1f ms of script, %.1f ms in all and %d long tasks; without the widget %.1f, %.1f and %d",
		with.script, with.tasks, with.longTasks, without.script, without.tasks, without.longTasks)
	if got := with.script - without.script; got > 300 {
		t.Errorf("the widget's script took %.1f ms, want far below 300", got)
	}
}
