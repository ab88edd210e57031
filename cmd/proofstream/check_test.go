package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// check prints every variable in the order of the README's table, and no secret.
func TestCheckPrintsTheConfiguration(t *testing.T) {
	environ := append(siteEnviron("0", "shop", keyB, "https://shop.example", "API_KEYS_FILE="+tempFile(t, keyB+"-2")),
		"PROOF_API_KEYS="+keyA+","+keyA+"+", "PROOF_NATS_URL=nats://me:pa55-of-the-cluster@a:4222", "PROOF_TRUSTED_PROXIES=10.0.0.0/8,::1", "PROOF_METRICS_ADDR=off")
	environ = append(environ, hookEnviron("0", "pay", "stripe", "SECRET=c4n4ry-of-stripe")...)
	var out, errs strings.Builder
	if status := execute(t.Context(), []string{"check"}, environ, &out, &errs); status != 0 {
		t.Fatalf("got status %d, %s", status, &errs)
	}
	for _, secret := range []string{keyA, keyB, "pa55-of", "c4n4ry"} {
		if strings.Contains(out.String()+errs.String(), secret) {
			t.Errorf("%s is printed:\n%s%s", secret, &out, &errs)
		}
	}
	for _, line := range []string{"PROOF_ADDR=:6009", "PROOF_API_KEYS=2 keys", "PROOF_SITES_0_API_KEYS=1 key", "PROOF_SITES_0_NAME=shop", "PROOF_HOOKS_0_SECRET=1 secret",
		"PROOF_NATS_URL=nats://a:4222", "PROOF_TRUSTED_PROXIES=10.0.0.0/8,::1/128", "PROOF_METRICS_ADDR=off", "PROOF_LOG_LEVEL=info", "PROOF_NATS_CREDS_FILE="} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("no line %q in\n%s", line, &out)
		}
	}
	if !strings.Contains(errs.String(), "PROOF_API_KEYS: key 2 ") {
		t.Errorf("got warnings %q, want one of the second key", &errs)
	}
	var got, want []string
	for line := range strings.Lines(out.String()) {
		name, _, _ := strings.Cut(line, "=")
		got = append(got, name)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| *`(PROOF_[A-Z0-9_]+)` *\\|").FindAllStringSubmatch(e2e.TextOf(t, "README.md"), -1) {
		want = append(want, m[1])
	}
	if !slices.Equal(got, want) {
		t.Errorf("got the order\n%q, want that of the README\n%q", got, want)
	}
}

func TestCheckPrintsEveryProblem(t *testing.T) {
	var out, errs strings.Builder
	status := execute(t.Context(), []string{"check"}, []string{"PROOF_RETAIN=many", "PROOF_ADDRR=:1"}, &out, &errs)
	if status != 2 || out.Len() > 0 || !strings.Contains(errs.String(), "PROOF_RETAIN: ") || !strings.Contains(errs.String(), "PROOF_ADDRR: ") {
		t.Errorf("got status %d, %q and %q, want 2 and both problems", status, &out, &errs)
	}
}
