package api

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"proofstream/api/decode"
)

// named gives the names of all series that a text mentions, histograms' parts under their own name.
func named(text string) []string {
	names := regexp.MustCompile(`\b(?:proofstream|process|go)_[a-z0-9_]+`).FindAllString(text, -1)
	for i, name := range names {
		for _, part := range []string{"_bucket", "_sum", "_count"} {
			if base := strings.TrimSuffix(name, part); strings.HasSuffix(base, "_seconds") {
				names[i] = base
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestMetricsTellEveryPromisedFigure(t *testing.T) {
	h := serve(t)
	if got := h.request(t, "POST", "/signup", "user_name=Ada", "X-API-Key: "+defaultKey); got.status != 200 {
		t.Fatalf("post: %d %s", got.status, got.body)
	}
	h.request(t, "POST", "/signup", "user_name=Ada", "X-API-Key: wrong")
	fresh := h.open(t, "/events?site=shop")
	malformed := h.open(t, "/events?last_event_id=garbage")
	for _, line := range []string{
		`proofstream_subscribers{site="shop"} 1`,
		`proofstream_subscribers{site="default"} 1`,
		`proofstream_subscribers_limit 0`,
		`proofstream_events_kept{site="default"} 1`,
		`proofstream_events_kept{site="shop"} 0`,
		`proofstream_signups_total{outcome="stored",site="default"} 1`,
		`proofstream_signups_total{outcome="stored",site="shop"} 0`,
		`proofstream_signups_total{outcome="unauthorized",site="_unknown"} 1`,
		`proofstream_resumes_total{result="fresh"} 1`,
		`proofstream_resumes_total{result="gap_malformed"} 1`,
		`proofstream_resumes_total{result="gap_expired"} 0`,
		`proofstream_resumes_total{result="complete"} 0`,
		`proofstream_log_append_seconds_count 1`,
		`proofstream_log_lag_events 0`,
		`proofstream_catchups_total 0`,
		`proofstream_log_pages_read_total 0`,
		`proofstream_log_overruns_total 0`,
		`proofstream_log_damage 0`,
		`proofstream_ready 1`,
	} {
		h.awaitMetric(t, line)
	}
	for _, reason := range []string{"slow", "dead", "full", "drain", "overrun"} {
		h.awaitMetric(t, `proofstream_streams_ended_total{reason="`+reason+`"} 0`)
	}
	fresh.cut()
	malformed.cut()
	h.awaitMetric(t, `proofstream_streams_ended_total{reason="gone"} 2`)
	h.awaitMetric(t, `proofstream_subscribers{site="shop"} 0`)
	text := scrape(t, h.Server)
	for _, name := range []string{"proofstream_frames_sent_total", "proofstream_bytes_sent_total", "process_open_fds",
		"process_max_fds", "go_goroutines", "proofstream_build_info"} {
		if !slices.Contains(named(text), name) {
			t.Errorf("there is no %s", name)
		}
	}
}

// A label's values must be few, whatever clients send.
func TestMetricsLabelsAreBoundedWhateverIsSent(t *testing.T) {
	h := serve(t)
	series := func() int { return strings.Count(scrape(t, h.Server), "\nproofstream_") }
	before := series()
	for _, odd := range []string{"nowhere", "a%22b", "%00", strings.Repeat("x", 500)} {
		h.request(t, "GET", "/events?site="+odd, "")
		h.request(t, "GET", "/stats?site="+odd, "")
		h.request(t, "GET", "/recent?site="+odd, "")
		h.request(t, "POST", "/signup?site="+odd, "user_name=A&"+odd+"=1", "X-API-Key: "+defaultKey)
		h.request(t, "DELETE", "/signup/"+odd, "", "X-API-Key: "+odd)
	}
	if after := series(); after != before {
		t.Errorf("%d series became %d:\n%s", before, after, scrape(t, h.Server))
	}
}

func TestEveryOutcomeIsCounted(t *testing.T) {
	h := serve(t, func(o *setup) { o.RateLimit = 4 })
	id := strings.Split(h.request(t, "POST", "/signup", `{}`, "Content-Type: application/json", "X-API-Key: "+shopKey).body, `"`)[3]
	key := "X-API-Key: " + shopKey
	h.request(t, "POST", "/signup", "place=x", key, "Idempotency-Key: one")
	h.request(t, "POST", "/signup", "place=x", key, "Idempotency-Key: one")
	h.request(t, "DELETE", "/signup/"+id, "", key)
	h.request(t, "DELETE", "/signup/zzz-9", "", key)
	h.request(t, "POST", "/signup", "{", "Content-Type: application/json")
	h.request(t, "POST", "/signup", strings.Repeat("x", decode.MaxBody+1))
	h.request(t, "POST", "/signup", "x", "Content-Type: text/csv")
	h.request(t, "POST", "/signup", "unheard=of", key)
	for h.request(t, "POST", "/signup", "", key, "Content-Type: "+decode.Form).status != 429 {
	}
	for _, want := range []string{
		`duplicate",site="shop"} 1`, `retracted",site="shop"} 1`, `not_found",site="shop"} 1`, `invalid",site="shop"} 1`,
		`limited",site="shop"} 1`, `malformed",site="_unknown"} 1`, `too_large",site="_unknown"} 1`,
		`media_type",site="_unknown"} 1`,
	} {
		h.awaitMetric(t, `proofstream_signups_total{outcome="`+want)
	}
}

func TestOpsServesProfilesAndNothingElse(t *testing.T) {
	h := serve(t)
	for path, want := range map[string]int{
		"/debug/pprof/": 200, "/debug/pprof/goroutine?debug=1": 200, "/debug/pprof/heap": 200, "/debug/pprof/cmdline": 200,
		"/metrics": 200, "/": 404, "/signup": 404, "/debug/vars": 404,
	} {
		w := httptest.NewRecorder()
		h.Ops().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("GET %s: got %d, want %d", path, w.Code, want)
		}
	}
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		if got := h.request(t, "GET", path, ""); got.status != 404 {
			t.Errorf("the public address serves %s: %d", path, got.status)
		}
	}
}

// promised are the figures that an operator must find on the dashboard.
var promised = []string{
	"proofstream_subscribers", "proofstream_streams_ended_total", "proofstream_resumes_total",
	"proofstream_frames_sent_total", "proofstream_bytes_sent_total", "proofstream_log_append_seconds",
	"proofstream_log_lag_events", "process_open_fds", "process_max_fds", "proofstream_signups_total",
}

// A dashboard or an alert that queries a metric which is not exported stays empty.
func TestDashboardAndAlertsAskForExportedMetrics(t *testing.T) {
	exported := named(scrape(t, serve(t).Server))
	for _, path := range []string{"../.github/grafana/dashboard.json", "../.github/prometheus/alerts.yml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		queried := named(string(text))
		for _, name := range queried {
			if !slices.Contains(exported, name) {
				t.Errorf("%s queries %s, which is not exported", path, name)
			}
		}
		if len(queried) < 5 {
			t.Errorf("%s queries only %v", path, queried)
		}
	}
}

func TestDashboardShowsEveryPromisedFigure(t *testing.T) {
	text, err := os.ReadFile("../.github/grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		t.Fatal("the dashboard is no JSON")
	}
	for _, name := range promised {
		if !slices.Contains(named(string(text)), name) {
			t.Errorf("the dashboard lacks %s", name)
		}
	}
}

// The labels in a query must exist too.
func TestDashboardAndAlertsUseExportedLabels(t *testing.T) {
	known := []string{"site", "outcome", "reason", "result", "le", "instance", "job", "version", "revision", "go"}
	for _, path := range []string{"../.github/grafana/dashboard.json", "../.github/prometheus/alerts.yml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		grouped := regexp.MustCompile(`\bby \(([a-z, ]+)\)`).FindAllStringSubmatch(string(text), -1)
		matched := regexp.MustCompile(`([a-z]+)(?:=~|!~|!=|=)\\?"`).FindAllStringSubmatch(string(text), -1)
		for _, m := range append(grouped, matched...) {
			for label := range strings.SplitSeq(m[1], ",") {
				if !slices.Contains(known, strings.TrimSpace(label)) {
					t.Errorf("%s uses the label %q, which no metric has", path, label)
				}
			}
		}
		if len(grouped) == 0 {
			t.Errorf("%s groups by nothing", path)
		}
	}
}
