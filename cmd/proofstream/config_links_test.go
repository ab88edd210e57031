package main

import (
	"slices"
	"strings"
	"testing"
)

// linkEnviron is what Kubernetes sets for Services proof, proof-nats and proof-web, and Docker for a link to a container.
const linkEnviron = `PROOF_SERVICE_HOST=10.0.0.7
PROOF_SERVICE_PORT=6009
PROOF_SERVICE_PORT_HTTP=6009
PROOF_PORT=tcp://10.0.0.7:6009
PROOF_PORT_6009_TCP=tcp://10.0.0.7:6009
PROOF_PORT_6009_TCP_PROTO=tcp
PROOF_PORT_6009_TCP_PORT=6009
PROOF_PORT_6009_TCP_ADDR=10.0.0.7
PROOF_NATS_SERVICE_HOST=fd00::7
PROOF_NATS_SERVICE_PORT=4222
PROOF_NATS_PORT=tcp://[fd00::7]:4222
PROOF_NATS_PORT_4222_TCP_ADDR=fd00::7
PROOF_METRICS_SERVICE_HOST=10.0.0.8
PROOF_WEB_PORT_80_UDP=udp://10.0.0.9:80
PROOF_NAME=/web/proof
PROOF_ENV_PATH=/usr/bin`

func TestVariablesOfLinksAreIgnored(t *testing.T) {
	environ := strings.Split(linkEnviron, "\n")
	var want []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		want = append(want, name)
	}
	slices.Sort(want)
	if c := configOf(t, append(environ, "PROOF_SERVICE_PORT_METRICS=", "PORT=tcp", "PROOF_ADDR=:1")...); !slices.Equal(c.Linked, want) || c.Addr != ":1" {
		t.Errorf("got %q ignored, want %q", c.Linked, want)
	}
}

// A variable with the name of a link's and another value is an operator's mistake.
func TestOtherValuesOfSuchVariablesAreProblems(t *testing.T) {
	for _, entry := range []string{
		"PROOF_PORT=8080", "PROOF_NAME=first", "PROOF_SERVICE_HOST=shop.example", "PROOF_SERVICE_PORT=http", "PROOF_METRICS_PORT=9000",
		"PROOF_PORT_6009_TCP=10.0.0.7", "PROOF_PORT_6009_TCP_PROTO=http", "PROOF_ENV=production",
	} {
		name, _, _ := strings.Cut(entry, "=")
		if got := problemsOf(t, entry); len(got) != 1 || !strings.HasPrefix(got[0], name+": no such variable") {
			t.Errorf("%s: got %q", entry, got)
		}
	}
}

// A key that a form changes unless it is encoded gets a warning with its position, and without its text.
func TestKeysThatAFormChangesAreNamed(t *testing.T) {
	environ := append(siteEnviron("0", "shop", keyB+"#1", "*"), "PROOF_API_KEYS="+keyA+","+keyA+"+/=", "PROOF_API_KEYS_FILE="+tempFile(t, "%"+keyB))
	got := configOf(t, environ...).Warnings
	want := []string{"PROOF_API_KEYS key 2 ", "PROOF_API_KEYS_FILE key 1 ", "PROOF_SITES_0_API_KEYS key 1 "}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %d", got, len(want))
	}
	for i, w := range got {
		text := w.Variable + " " + w.Text
		if !strings.HasPrefix(text, want[i]) || strings.Contains(text, keyA) || strings.Contains(text, keyB) {
			t.Errorf("got %q, want it to begin with %q", text, want[i])
		}
	}
	if c := configOf(t, "PROOF_API_KEYS="+keyA+"-_.~/"); c.Warnings != nil {
		t.Errorf("got %q for a key that a form leaves as it is", c.Warnings)
	}
}
