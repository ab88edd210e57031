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

// For each of the commonest mistakes check prints one problem, which names the variable and says what to write instead.
func TestCheckSaysWhatToDoAboutCommonMistakes(t *testing.T) {
	for name, test := range map[string]struct{ entry, want string }{
		"quotes that docker --env-file keeps":   {`PROOF_API_KEYS="` + keyA + `"`, "PROOF_API_KEYS: the value is in quotes, which would be part of it; write it without"},
		"a key that a person has made up":       {"PROOF_API_KEYS=secret", "PROOF_API_KEYS: key 1 is shorter than 16 characters; make one with: openssl"},
		"the singular of a name":                {"PROOF_API_KEY=" + keyA, "PROOF_API_KEY: no such variable; the nearest is PROOF_API_KEYS"},
		"a port without its colon":              {"PROOF_ADDR=6009", "PROOF_ADDR: not an address to listen on; write host:port, or :port"},
		"the name that other services have":     {"PROOF_PORT=8080", "PROOF_PORT: no such variable; the address to listen on is PROOF_ADDR, such as PROOF_ADDR=:8080"},
		"an origin copied from the address bar": {"PROOF_ALLOWED_ORIGINS=https://a.example/", `PROOF_ALLOWED_ORIGINS: origin 1 ("https://a.example/") goes on after the host; write scheme://host[:port]`},
		"a host for an origin":                  {"PROOF_ALLOWED_ORIGINS=www.a.example", "PROOF_ALLOWED_ORIGINS: origin 1 has no scheme; write scheme://host[:port]"},
		"days":                                  {"PROOF_RETENTION=30d", "PROOF_RETENTION: not a duration; write a number with its unit, such as 500ms, 15s or 720h"},
		"a secret that is not mounted":          {"PROOF_API_KEYS_FILE=/nowhere/key", `PROOF_API_KEYS_FILE: cannot read "/nowhere/key": no such file or directory; it takes the path of a file`},
		"half of a certificate":                 {"PROOF_TLS_CERT_FILE=/dev/null", "PROOF_TLS_KEY_FILE: missing, for PROOF_TLS_CERT_FILE is set; set both or none"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs strings.Builder
			status := execute(t.Context(), []string{"check"}, []string{test.entry}, &out, &errs)
			if want := "proofstream: 1 problem in the configuration:\n  " + test.want; status != 2 || out.Len() > 0 || !strings.HasPrefix(errs.String(), want) {
				t.Errorf("got status %d, %q and\n%s, want 2 and\n%s", status, &out, &errs, want)
			}
		})
	}
}
