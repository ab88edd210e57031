package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// Each environment has exactly one problem. Its text names the variable and says what is allowed.
func TestEachProblemNamesItsVariableAndTheWayOut(t *testing.T) {
	dir := t.TempDir()
	cert, key := e2e.NewAuthority(t, "proof.example.com").Write(t, t.TempDir())
	_, otherKey := e2e.NewAuthority(t, "proof.example.com").Write(t, t.TempDir())
	tests := map[string]struct{ environ, variable, text string }{
		"an unknown variable":                   {"PROOF_HEART_BEAT=15s", "PROOF_HEART_BEAT", "PROOF_HEARTBEAT"},
		"an unknown variable of a site":         {"PROOF_SITES_12_KEYS=x", "PROOF_SITES_12_KEYS", "PROOF_SITES_12_API_KEYS"},
		"an index with a leading zero":          {"PROOF_SITES_00_NAME=x", "PROOF_SITES_00_NAME", "PROOF_SITES_0_NAME"},
		"the prefix alone":                      {"PROOF_=x", "PROOF_", "no such variable"},
		"a name that garbles a terminal":        {"PROOF_\x1b[2J=x", `"PROOF_\x1b[2J"`, "no such variable"},
		"an address without port":               {"PROOF_ADDR=localhost", "PROOF_ADDR", "host:port"},
		"a port alone":                          {"PROOF_ADDR=6009", "PROOF_ADDR", ":port"},
		"a port beyond the last":                {"PROOF_METRICS_ADDR=:65536", "PROOF_METRICS_ADDR", "host:port"},
		"a word for a number":                   {"PROOF_RETAIN=many", "PROOF_RETAIN", "whole number"},
		"a fraction":                            {"PROOF_RETAIN=1.5", "PROOF_RETAIN", "whole number"},
		"a number that overflows":               {"PROOF_RETAIN=99999999999999999999", "PROOF_RETAIN", "out of range"},
		"a negative number":                     {"PROOF_RETAIN=-1", "PROOF_RETAIN", "1 to 1000000"},
		"zero where it means nothing":           {"PROOF_MAX_SUBSCRIBERS=0", "PROOF_MAX_SUBSCRIBERS", "from 1"},
		"a policy for names in capitals":        {"PROOF_NAMES=First", "PROOF_NAMES", "write full, first, initial or none"},
		"a negative number where zero is off":   {"PROOF_RATE_LIMIT=-1", "PROOF_RATE_LIMIT", "from 0"},
		"as many, for one address":              {"PROOF_MAX_SUBSCRIBERS_PER_ADDRESS=-1", "PROOF_MAX_SUBSCRIBERS_PER_ADDRESS", "from 0"},
		"a buffer that would take the memory":   {"PROOF_BUFFER=65537", "PROOF_BUFFER", "to 65536"},
		"a duration without unit":               {"PROOF_RETENTION=720", "PROOF_RETENTION", "unit"},
		"a duration in days":                    {"PROOF_RETENTION=30d", "PROOF_RETENTION", "unit"},
		"a retention shorter than JetStream's":  {"PROOF_RETENTION=99ms", "PROOF_RETENTION", "100ms"},
		"a heartbeat of zero":                   {"PROOF_HEARTBEAT=0", "PROOF_HEARTBEAT", "from 1ms"},
		"a negative heartbeat":                  {"PROOF_HEARTBEAT=-15s", "PROOF_HEARTBEAT", "from 1ms"},
		"a retry of zero":                       {"PROOF_RETRY=0s", "PROOF_RETRY", "from 1ms"},
		"a grace beyond patience":               {"PROOF_SHUTDOWN_GRACE=61m", "PROOF_SHUTDOWN_GRACE", "1h0m0s"},
		"a durability setting":                  {"PROOF_FSYNC=1s", "PROOF_FSYNC", "on disk before it is acknowledged"},
		"a level that is none":                  {"PROOF_LOG_LEVEL=loud", "PROOF_LOG_LEVEL", "debug"},
		"a format that is none":                 {"PROOF_LOG_FORMAT=xml", "PROOF_LOG_FORMAT", "json"},
		"a word for yes":                        {"PROOF_NATS_UPDATE=yes", "PROOF_NATS_UPDATE", "true or false"},
		"a proxy that is no network":            {"PROOF_TRUSTED_PROXIES=10.0.0.0/8,nginx", "PROOF_TRUSTED_PROXIES", "network 2"},
		"a proxy network too narrow":            {"PROOF_TRUSTED_PROXIES=10.0.0.0/33", "PROOF_TRUSTED_PROXIES", "CIDR"},
		"IPv4 proxies as IPv6":                  {"PROOF_TRUSTED_PROXIES=::ffff:10.0.0.0/104", "PROOF_TRUSTED_PROXIES", "CIDR"},
		"a proxy with a zone":                   {"PROOF_TRUSTED_PROXIES=fe80::1%eth0", "PROOF_TRUSTED_PROXIES", "CIDR"},
		"a list of commas":                      {"PROOF_TRUSTED_PROXIES= , ,", "PROOF_TRUSTED_PROXIES", "commas"},
		"keys of commas":                        {"PROOF_API_KEYS=,", "PROOF_API_KEYS", "commas"},
		"origins of commas":                     {"PROOF_ALLOWED_ORIGINS=,,", "PROOF_ALLOWED_ORIGINS", "commas"},
		"a key of 15":                           {"PROOF_API_KEYS=" + keyA[1:], "PROOF_API_KEYS", "key 1 is shorter than 16"},
		"a key of 15 letters in 30 bytes":       {"PROOF_API_KEYS=" + strings.Repeat("ä", 15), "PROOF_API_KEYS", "shorter"},
		"a key with a blank":                    {"PROOF_API_KEYS=" + keyA + "," + keyA + " " + keyB, "PROOF_API_KEYS", "key 2 contains white space"},
		"a key with a wide blank":               {"PROOF_API_KEYS=" + keyA + "\u3000" + keyB, "PROOF_API_KEYS", "white space"},
		"a key with a line end":                 {"PROOF_API_KEYS=" + keyA + "\n" + keyB, "PROOF_API_KEYS", "white space"},
		"a key with a control character":        {"PROOF_API_KEYS=" + keyA + "\x01", "PROOF_API_KEYS", "cannot be printed"},
		"a key with a byte order mark":          {"PROOF_API_KEYS=\ufeff" + keyA, "PROOF_API_KEYS", "cannot be printed"},
		"a key that is no text":                 {"PROOF_API_KEYS=" + keyA + "\xff", "PROOF_API_KEYS", "cannot be printed"},
		"a key file that is not there":          {"PROOF_API_KEYS_FILE=" + dir + "/none", "PROOF_API_KEYS_FILE", dir + `/none": no such file`},
		"a key file that is a directory":        {"PROOF_API_KEYS_FILE=" + dir, "PROOF_API_KEYS_FILE", "is a directory"},
		"an empty key file":                     {"PROOF_API_KEYS_FILE=" + tempFile(t, ""), "PROOF_API_KEYS_FILE", "empty"},
		"a key file of line ends":               {"PROOF_API_KEYS_FILE=" + tempFile(t, "\r\n\n ,\n"), "PROOF_API_KEYS_FILE", "empty"},
		"a key file with a short key":           {"PROOF_API_KEYS_FILE=" + tempFile(t, keyA+"\nshort\n"), "PROOF_API_KEYS_FILE", "key 2 is shorter"},
		"a key file without an end":             {"PROOF_API_KEYS_FILE=" + tempFile(t, strings.Repeat("k", 1<<16+1)), "PROOF_API_KEYS_FILE", "too large"},
		"an origin with a slash":                {"PROOF_ALLOWED_ORIGINS=*,https://a.example/", "PROOF_ALLOWED_ORIGINS", "origin 2"},
		"a wildcard for foreign domains":        {"PROOF_ALLOWED_ORIGINS=https://*example.com", "PROOF_ALLOWED_ORIGINS", "foreign"},
		"no key for a cluster":                  {"PROOF_NATS_URL=nats://a:4222", "PROOF_API_KEYS", "required with PROOF_NATS_URL"},
		"an empty key file for a cluster":       {"PROOF_NATS_URL=a|PROOF_API_KEYS_FILE=" + tempFile(t, ""), "PROOF_API_KEYS_FILE", "empty"},
		"a cluster of another kind":             {"PROOF_API_KEYS=" + keyA + "|PROOF_NATS_URL=http://a:4222", "PROOF_NATS_URL", "nats://host:4222"},
		"a cluster without host":                {"PROOF_API_KEYS=" + keyA + "|PROOF_NATS_URL=nats://", "PROOF_NATS_URL", "nats://host:4222"},
		"credentials without a cluster":         {"PROOF_NATS_CREDS_FILE=" + cert, "PROOF_NATS_CREDS_FILE", "PROOF_NATS_URL"},
		"copies without a cluster":              {"PROOF_NATS_REPLICAS=3", "PROOF_NATS_REPLICAS", "PROOF_NATS_URL"},
		"an update without a cluster":           {"PROOF_NATS_UPDATE=true", "PROOF_NATS_UPDATE", "PROOF_NATS_URL"},
		"more copies than a cluster keeps":      {"PROOF_API_KEYS=" + keyA + "|PROOF_NATS_URL=a|PROOF_NATS_REPLICAS=6", "PROOF_NATS_REPLICAS", "1 to 5"},
		"a stream with a wildcard":              {"PROOF_NATS_STREAM=shop.>", "PROOF_NATS_STREAM", "letters"},
		"a certificate without key":             {"PROOF_TLS_CERT_FILE=" + cert, "PROOF_TLS_KEY_FILE", "both or none"},
		"a key without certificate":             {"PROOF_TLS_KEY_FILE=" + key, "PROOF_TLS_CERT_FILE", "both or none"},
		"a certificate that is not there":       {"PROOF_TLS_CERT_FILE=" + dir + "/none|PROOF_TLS_KEY_FILE=" + key, "PROOF_TLS_CERT_FILE", dir + "/none"},
		"another certificate's key":             {"PROOF_TLS_CERT_FILE=" + cert + "|PROOF_TLS_KEY_FILE=" + otherKey, "PROOF_TLS_CERT_FILE", "does not match"},
		"a key where the certificate should be": {"PROOF_TLS_CERT_FILE=" + key + "|PROOF_TLS_KEY_FILE=" + cert, "PROOF_TLS_CERT_FILE", "PEM"},
		"ACME beside TLS files":                 {"PROOF_ACME_HOSTS=a.example|PROOF_TLS_CERT_FILE=" + cert + "|PROOF_TLS_KEY_FILE=" + key, "PROOF_ACME_HOSTS", "not together"},
		"a certificate for a URL":               {"PROOF_ACME_HOSTS=a.example,https://b.example", "PROOF_ACME_HOSTS", "name 2"},
		"a value in quotes":                     {`PROOF_API_KEYS="` + keyA + `"`, "PROOF_API_KEYS", "in quotes"},
		"a value in single quotes":              {"PROOF_DATA_DIR='/data'", "PROOF_DATA_DIR", "in quotes"},
		"nothing in quotes":                     {`PROOF_LOG_LEVEL=""`, "PROOF_LOG_LEVEL", "in quotes"},
		"one key of two in quotes":              {`PROOF_API_KEYS=` + keyA + `, "` + keyB + `"`, "PROOF_API_KEYS", "key 2 is in quotes"},
		"a key file with quotes":                {"PROOF_API_KEYS_FILE=" + tempFile(t, keyA+"\r\n'"+keyB+"'\r\n"), "PROOF_API_KEYS_FILE", "key 2 is in quotes"},
		"a key file as an environment file":     {"PROOF_API_KEYS_FILE=" + tempFile(t, "PROOF_API_KEYS="+keyA), "PROOF_API_KEYS_FILE", "key 1 is a line that sets a variable"},
		"a key file as a shell script":          {"PROOF_API_KEYS_FILE=" + tempFile(t, "export PROOF_API_KEYS="+keyA), "PROOF_API_KEYS_FILE", "sets a variable"},
		"a file of origins with quotes":         {"PROOF_ALLOWED_ORIGINS_FILE=" + tempFile(t, `"https://a.example"`), "PROOF_ALLOWED_ORIGINS_FILE", "origin 1"},
		"an empty file of origins":              {"PROOF_ALLOWED_ORIGINS_FILE=" + tempFile(t, "\n"), "PROOF_ALLOWED_ORIGINS_FILE", "the file is empty"},
		"the port of other services":            {"PROOF_PORT=8080", "PROOF_PORT", "PROOF_ADDR=:8080"},
		"the metrics on the same address":       {"PROOF_METRICS_ADDR=:6009", "PROOF_METRICS_ADDR", "the same address as PROOF_ADDR"},
		"the metrics inside it":                 {"PROOF_ADDR=0.0.0.0:81|PROOF_METRICS_ADDR=localhost:81", "PROOF_METRICS_ADDR", "the same address as PROOF_ADDR"},
		"an authority without TLS":              {"PROOF_ACME_DIRECTORY=http://ca.example/dir", "PROOF_ACME_DIRECTORY", "https://host/path"},
		"a mail address with a name":            {"PROOF_ACME_EMAIL=Ada <a@b.example>", "PROOF_ACME_EMAIL", "name@example.com"},
		"a certificate for all names":           {"PROOF_ACME_HOSTS=*.example.com", "PROOF_ACME_HOSTS", "wildcard"},
		"a certificate for an address":          {"PROOF_ACME_HOSTS=192.0.2.1", "PROOF_ACME_HOSTS", "host names"},
		"a certificate for localhost":           {"PROOF_ACME_HOSTS=localhost", "PROOF_ACME_HOSTS", "full host names"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := problemsOf(t, strings.Split(test.environ, "|")...)
			if len(got) != 1 || !strings.HasPrefix(got[0], test.variable+": ") || !strings.Contains(got[0], test.text) {
				t.Errorf("got %q, want one problem of %s with %q", got, test.variable, test.text)
			}
		})
	}
}

// For each variable with one letter missing, the nearest known name is that variable.
func TestAMissingLetterIsFound(t *testing.T) {
	for name := range knownNames() {
		for i := len(envPrefix); i < len(name); i++ {
			if got, slip := nearest(name[:i]+name[i+1:], knownNames()), name[:i]+name[i+1:]; got != name {
				t.Errorf("nearest to %s: got %s, want %s", slip, got, name)
			}
		}
	}
}

// No problem shows a secret, in whichever variable, shape or file it is: operators put keys into wrong variables.
func TestNoProblemShowsASecret(t *testing.T) {
	const canary = "c4n4ry-Vu0Rh2Xq9s7Lw1Pz"
	names := []string{"PROOF_SITES_0_NAME", "PROOF_SITES_0_API_KEYS", "PROOF_SITES_0_ALLOWED_ORIGINS", "PROOF_SITES_2_NAME", "PROOF_SITES_2_API_KEYS", "PROOF_TYPO"}
	for name := range knownNames() {
		names = append(names, name)
	}
	shapes := []string{"%s", "%s %[1]s", "nats://user:%s@host:4222", "nats://%s@[::1", "https://user:%s@host", "%s,%[1]s,tiny", "a,%s", "%s\x00", "%s\n", "12%s", "=%s", "a=%s"}
	for _, name := range names {
		for _, shape := range shapes {
			value := fmt.Sprintf(shape, canary)
			environ := []string{name + "=" + value, "PROOF_SITES_1_API_KEYS=" + canary, "PROOF_OTHER=" + value}
			for _, problem := range problemsOf(t, environ...) {
				if strings.Contains(problem, canary) {
					t.Errorf("%q shows the secret: %s", environ, problem)
				}
			}
		}
	}
	t.Run("in a file", func(t *testing.T) {
		path := tempFile(t, canary+" "+canary+"\n"+canary[:12])
		for name := range knownNames() {
			if _, err := readConfig([]string{name + "=" + path, "PROOF_OTHER=1"}); strings.Contains(err.Error(), canary[:12]) {
				t.Errorf("%s=%s shows the secret: %v", name, path, err)
			}
		}
	})
}

func TestAnUnreadableFileIsAProblem(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read every file")
	}
	path := tempFile(t, keyA)
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	got := problemsOf(t, "PROOF_API_KEYS_FILE="+path)
	if len(got) != 1 || !strings.Contains(got[0], path) || !strings.Contains(got[0], "permission denied") {
		t.Errorf("got %q, want the path and why", got)
	}
}

// Every environment gives a valid configuration, or problems that are one line each and start with a variable.
func FuzzReadConfig(f *testing.F) {
	f.Add("PROOF_RETAIN=5\nPROOF_RETRY=1s")
	f.Add("PROOF_SITES_0_NAME=shop\nPROOF_SITES_0_API_KEYS=" + keyA + "\nPROOF_SITES_0_ALLOWED_ORIGINS=https://a.example")
	f.Add("PROOF_SITES_9999_NAME=x\nPROOF_SITES_99999_NAME=\nPROOF_=1\n=\nPROOF_ADDR")
	f.Add("PROOF_NATS_URL=nats://%zz\nPROOF_TRUSTED_PROXIES=::/0,1.2.3.4/0\nPROOF_ALLOWED_ORIGINS=http://[::1]:*")
	f.Fuzz(func(t *testing.T, text string) {
		var environ []string
		for line := range strings.SplitSeq(text, "\n") {
			if name, _, _ := strings.Cut(line, "="); !strings.HasSuffix(name, "_FILE") { // would read any file of the machine
				environ = append(environ, line)
			}
		}
		c, err := readConfig(environ)
		if err != nil {
			for _, problem := range problemsOf(t, environ...) {
				if !strings.HasPrefix(strings.TrimPrefix(problem, `"`), envPrefix) || strings.ContainsAny(problem, "\n\x1b") {
					t.Errorf("%q is no line that begins with a variable", problem)
				}
			}
			return
		}
		owner := make(map[string]string)
		for _, site := range c.Sites {
			if len(site.Keys) == 0 || len(site.Origins) == 0 {
				t.Errorf("site %q has %d keys and %d origins", site.Name, len(site.Keys), len(site.Origins))
			}
			for _, key := range site.Keys {
				if other, taken := owner[key]; taken || len(key) < 16 || strings.ContainsAny(key, " \t\r\n") {
					t.Errorf("site %q has a key that is poor or of site %q, too", site.Name, other)
				}
				owner[key] = site.Name
			}
		}
		if c.Retain <= 0 || c.Buffer <= 0 || c.Heartbeat <= 0 || c.Retry <= 0 || c.MaxSubscribers <= 0 || c.Sites[0].Name != "default" {
			t.Errorf("got %v", c)
		}
	})
}
