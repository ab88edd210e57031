package main

import (
	"net"
	"regexp"
	"strings"
	"testing"
)

// freeAddress is one that nobody listens on right now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestMetricsAndProfilesHaveAnAddressOfTheirOwn(t *testing.T) {
	address := freeAddress(t)
	p := start(t, "PROOF_METRICS_ADDR="+address)
	p.post(t, "user_name=Ada")
	ops := &program{t: t, url: "http://" + address}
	got := ops.get(t, "/metrics")
	if !strings.Contains(got.body, "\nproofstream_signups_total{outcome=\"stored\",site=\"default\"} 1\n") {
		t.Errorf("metrics: %d\n%s", got.status, got.body)
	}
	if got := ops.get(t, "/debug/pprof/goroutine?debug=1"); got.status != 200 {
		t.Errorf("profile: %d", got.status)
	}
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		if got := p.get(t, path); got.status != 404 {
			t.Errorf("strangers get %s: %d", path, got.status)
		}
	}
}

func TestMetricsAddressTakenIsToldWithWhatToDo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := launch(t, "PROOF_METRICS_ADDR="+l.Addr().String())
	if status := p.wait(); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	for _, want := range []string{l.Addr().String() + " is taken", "PROOF_METRICS_ADDR", "off"} {
		if !strings.Contains(p.stderr.String(), want) {
			t.Errorf("the message lacks %q:\n%s", want, p.stderr)
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
		t.Error("the configuration is logged though nobody asked")
	}
}
