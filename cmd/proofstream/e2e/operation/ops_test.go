package operation

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// /metrics and /debug/pprof/ are served on PROOF_METRICS_ADDR only.
func TestMetricsAndProfilesHaveAnAddressOfTheirOwn(t *testing.T) {
	p := e2e.Start(t, e2e.MetricsOn(t))
	p.Post(t, "user_name=Ada")
	got := p.Ops.Get(t, "/metrics")
	if !strings.Contains(got.Body, "\nproofstream_signups_total{outcome=\"stored\",site=\"default\"} 1\n") {
		t.Errorf("metrics: %d\n%s", got.Status, got.Body)
	}
	if got := p.Ops.Get(t, "/debug/pprof/goroutine?debug=1"); got.Status != 200 {
		t.Errorf("profile: %d", got.Status)
	}
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		if got := p.Get(t, path); got.Status != 404 {
			t.Errorf("the public address serves %s: %d", path, got.Status)
		}
	}
}

func TestVersionIsLoggedAtStart(t *testing.T) {
	p := e2e.Start(t)
	if line := p.AwaitLog("msg=starting"); !regexp.MustCompile(`version=\S+ revision=`).MatchString(line) {
		t.Errorf("got %q", line)
	}
}

func TestConfigurationIsLoggedAtDebugOnly(t *testing.T) {
	quiet, loud := e2e.Start(t), e2e.Start(t, "PROOF_LOG_LEVEL=debug")
	if line := loud.AwaitLog("msg=configuration"); !strings.Contains(line, "PROOF_RETAIN=1000") || strings.Contains(line, e2e.TestKey) {
		t.Errorf("got %q", line)
	}
	if strings.Contains(quiet.Stderr.String(), "msg=configuration") {
		t.Error("the configuration is logged though it was not asked for")
	}
}

// The README of cmd/proofstream explains every metric of the service, and no other.
func TestReadmeNamesEveryMetric(t *testing.T) {
	p := e2e.Start(t, e2e.MetricsOn(t))
	p.Post(t, "user_name=Ada")
	p.Listen(t, "").Ready(t)
	namesIn := func(pattern, text string) (names []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	exported := namesIn(`(?m)^# TYPE (proofstream_\w+) `, p.Ops.Get(t, "/metrics").Body)
	explained := namesIn("`(proofstream_\\w+)[{`]", e2e.TextOf(t, "cmd/proofstream/README.md"))
	if !slices.Equal(exported, explained) {
		t.Errorf("exported\n%q, explained\n%q", exported, explained)
	}
}
