package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestMetricsAndProfilesHaveAnAddressOfTheirOwn(t *testing.T) {
	p := start(t, metricsOn(t))
	p.post(t, "user_name=Ada")
	got := p.ops.get(t, "/metrics")
	if !strings.Contains(got.body, "\nproofstream_signups_total{outcome=\"stored\",site=\"default\"} 1\n") {
		t.Errorf("metrics: %d\n%s", got.status, got.body)
	}
	if got := p.ops.get(t, "/debug/pprof/goroutine?debug=1"); got.status != 200 {
		t.Errorf("profile: %d", got.status)
	}
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		if got := p.get(t, path); got.status != 404 {
			t.Errorf("the public address serves %s: %d", path, got.status)
		}
	}
}

func TestVersionIsLoggedAtStart(t *testing.T) {
	p := start(t)
	if line := p.awaitLog("msg=starting"); !regexp.MustCompile(`version=\S+ revision=`).MatchString(line) {
		t.Errorf("got %q", line)
	}
	if thisBuild().Version == "" {
		t.Error("the version is empty")
	}
}

func TestConfigurationIsLoggedAtDebugOnly(t *testing.T) {
	quiet, loud := start(t), start(t, "PROOF_LOG_LEVEL=debug")
	if line := loud.awaitLog("msg=configuration"); !strings.Contains(line, "PROOF_RETAIN=1000") || strings.Contains(line, testKey) {
		t.Errorf("got %q", line)
	}
	if strings.Contains(quiet.stderr.String(), "msg=configuration") {
		t.Error("the configuration is logged though it was not asked for")
	}
}
