package main

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/signup"
)

const (
	keyA = "aaaaaaaaaaaaaaaa" // the shortest allowed
	keyB = "bbbbbbbbbbbbbbbbbbbb"
)

// configOf returns the configuration of an environment, which must be valid.
func configOf(t *testing.T, environ ...string) Config {
	t.Helper()
	c, err := readConfig(environ)
	if err != nil {
		t.Fatalf("readConfig(%q): %v", environ, err)
	}
	return c
}

// problemsOf returns the problems of an environment, which must have some.
func problemsOf(t *testing.T, environ ...string) []string {
	t.Helper()
	_, err := readConfig(environ)
	var wrong *ConfigError
	if !errors.As(err, &wrong) {
		t.Fatalf("readConfig(%q): got error %v, want a *ConfigError", environ, err)
	}
	return wrong.Problems
}

// tempFile writes text to a temporary file and returns its path.
func tempFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNothingConfiguredIsTheDefaults(t *testing.T) {
	got := configOf(t, "HOME=/root", "PATH=/bin", "=C:=x", "garbage")
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{24,}$`).MatchString(got.GeneratedKey) {
		t.Errorf("generated key %q has fewer than 24 characters, or some that a URL quotes", got.GeneratedKey)
	}
	want := Config{
		Addr: ":6009",
		Sites: []Site{{
			Name:        "default",
			Keys:        []string{got.GeneratedKey},
			Origins:     []string{"http://localhost:*", "http://127.0.0.1:*"},
			OriginsFrom: Source{Given: []string{"http://localhost:*", "http://127.0.0.1:*"}},
		}},
		ACMEDirectory:  "https://acme-v02.api.letsencrypt.org/directory",
		GeneratedKey:   got.GeneratedKey,
		DataDir:        "data",
		NATSStream:     "proofstream",
		NATSReplicas:   1,
		Retain:         1000,
		Retention:      720 * time.Hour,
		Buffer:         64,
		Heartbeat:      15 * time.Second,
		Retry:          3 * time.Second,
		MaxSubscribers: defaultMaxSubscribers(descriptorLimit()),
		RateLimit:      100,
		MetricsAddr:    "localhost:9609",
		ShutdownGrace:  10 * time.Second,
		LogFormat:      "text",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if again := configOf(t); again.GeneratedKey == got.GeneratedKey {
		t.Error("the generated key is the same in two runs")
	}
}

func TestEachVariableReachesItsField(t *testing.T) {
	creds, keys := tempFile(t, "creds"), tempFile(t, keyB+"\r\n")
	cert, key := e2e.NewAuthority(t, "proof.example.com").Write(t, t.TempDir())
	tests := []struct {
		variable, value string
		got             func(Config) any
		want            any
	}{
		{"PROOF_ADDR", "127.0.0.1:0", func(c Config) any { return c.Addr }, "127.0.0.1:0"},
		{"PROOF_API_KEYS", keyA, func(c Config) any { return c.Sites[0].Keys }, []string{keyA, keyB}},
		{"PROOF_API_KEYS_FILE", keys, func(c Config) any { return c.GeneratedKey }, ""},
		{"PROOF_ALLOWED_ORIGINS", "https://a.example,*", func(c Config) any { return c.Sites[0].OriginsFrom.Given }, []string{"https://a.example", "*"}},
		{"PROOF_ALLOWED_ORIGINS_FILE", tempFile(t, "https://b.example\n"), func(c Config) any { return c.Sites[0].Origins[2] }, "https://b.example"},
		{"PROOF_NAMES", "first", func(c Config) any { return c.Sites[0].Names }, signup.FirstNames},
		{"PROOF_DATA_DIR", "/var/lib/proof stream", func(c Config) any { return c.DataDir }, "/var/lib/proof stream"},
		{"PROOF_NATS_URL", "nats://a:4222, b:4222", func(c Config) any { return c.NATSURL }, "nats://a:4222,b:4222"},
		{"PROOF_NATS_CREDS_FILE", creds, func(c Config) any { return c.NATSCredsFile }, creds},
		{"PROOF_NATS_STREAM", "Shop_1", func(c Config) any { return c.NATSStream }, "Shop_1"},
		{"PROOF_NATS_REPLICAS", "3", func(c Config) any { return c.NATSReplicas }, 3},
		{"PROOF_NATS_UPDATE", "true", func(c Config) any { return c.NATSUpdate }, true},
		{"PROOF_RETAIN", "5", func(c Config) any { return c.Retain }, 5},
		{"PROOF_RETENTION", "1h30m", func(c Config) any { return c.Retention }, 90 * time.Minute},
		{"PROOF_BUFFER", "65536", func(c Config) any { return c.Buffer }, 65536},
		{"PROOF_HEARTBEAT", "20ms", func(c Config) any { return c.Heartbeat }, 20 * time.Millisecond},
		{"PROOF_RETRY", "1s", func(c Config) any { return c.Retry }, time.Second},
		{"PROOF_MAX_SUBSCRIBERS", "7", func(c Config) any { return c.MaxSubscribers }, 7},
		{"PROOF_MAX_SUBSCRIBERS_PER_ADDRESS", "8", func(c Config) any { return c.MaxSubscribersPerAddress }, 8},
		{"PROOF_RATE_LIMIT", "0", func(c Config) any { return c.RateLimit }, 0},
		{"PROOF_TRUSTED_PROXIES", "10.1.2.3/8, ::1", func(c Config) any { return c.TrustedProxies },
			[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}},
		{"PROOF_TLS_CERT_FILE", cert, func(c Config) any { return c.TLSCertFile }, cert},
		{"PROOF_TLS_KEY_FILE", key, func(c Config) any { return c.TLSKeyFile }, key},
		{"PROOF_ACME_EMAIL", "a@b.example", func(c Config) any { return c.ACMEEmail }, "a@b.example"},
		{"PROOF_ACME_DIRECTORY", "https://ca.example/dir", func(c Config) any { return c.ACMEDirectory }, "https://ca.example/dir"},
		{"PROOF_METRICS_ADDR", "off", func(c Config) any { return c.MetricsAddr }, ""},
		{"PROOF_SHUTDOWN_GRACE", "30s", func(c Config) any { return c.ShutdownGrace }, 30 * time.Second},
		{"PROOF_LOG_LEVEL", "warn", func(c Config) any { return c.LogLevel }, slog.LevelWarn},
		{"PROOF_LOG_FORMAT", "json", func(c Config) any { return c.LogFormat }, "json"},
	}
	environ, named := []string{}, []string{"PROOF_ACME_HOSTS"} // which excludes TLS files
	for _, test := range tests {
		environ = append(environ, test.variable+"= \t"+test.value+" \r")
		named = append(named, test.variable)
	}
	c := configOf(t, environ...)
	for _, test := range tests {
		if got := test.got(c); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s=%s: got %v, want %v", test.variable, test.value, got, test.want)
		}
	}
	for name := range knownNames() {
		if !slices.Contains(named, name) {
			t.Errorf("%s is not tested", name)
		}
	}
}

func TestACMEHostsMoveTheDefaultAddress(t *testing.T) {
	c := configOf(t, "PROOF_ACME_HOSTS=Proof.Example.com, xn--bcher-kva.example,")
	if want := []string{"proof.example.com", "xn--bcher-kva.example"}; c.Addr != ":443" || !slices.Equal(c.ACMEHosts, want) {
		t.Errorf("got address %s and hosts %q, want :443 and %q", c.Addr, c.ACMEHosts, want)
	}
	if c := configOf(t, "PROOF_ACME_HOSTS=proof.example.com", "PROOF_ADDR=:8443"); c.Addr != ":8443" {
		t.Errorf("got address %s, want the given :8443", c.Addr)
	}
}

// Platforms give the port in PORT; what the operator says wins.
func TestPlatformsPortIsTheDefault(t *testing.T) {
	for _, tt := range []struct {
		environ []string
		want    string
	}{
		{[]string{"PORT=8080"}, ":8080"},
		{[]string{"PORT=8080", "PROOF_ADDR=:7000"}, ":7000"},
		{[]string{"PORT=8080", "PROOF_ACME_HOSTS=proof.example.com"}, ":443"},
		{[]string{"PORT="}, ":6009"},
	} {
		if got := configOf(t, tt.environ...).Addr; got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.environ, got, tt.want)
		}
	}
	for _, port := range []string{"0", "65536", "http", "tcp://10.0.0.7:80", "-1"} {
		if _, err := readConfig([]string{"PORT=" + port}); err == nil || !strings.Contains(err.Error(), "PORT: must be a port") {
			t.Errorf("PORT=%s: got %v", port, err)
		}
	}
}

func TestBlankIsUnset(t *testing.T) {
	var environ []string
	for name := range knownNames() {
		environ = append(environ, name+"=", name+"= \t ")
	}
	environ = append(environ, "PROOF_SITES_0_NAME=", "PROOF_SITES_7_API_KEYS= ", "PROOF_TYPO=")
	got, want := configOf(t, environ...), configOf(t)
	got.GeneratedKey, got.Sites[0].Keys = want.GeneratedKey, want.Sites[0].Keys
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	got := problemsOf(t,
		"PROOF_ADRR=:80", "PROOF_RETAIN=many", "PROOF_BUFFER=0", "PROOF_HEARTBEAT=never", "PROOF_API_KEYS=short,"+keyA+",tiny",
		"PROOF_ALLOWED_ORIGINS=https://a.example/,https://*b.example", "PROOF_LOG_LEVEL=loud",
		"PROOF_SITES_1_NAME=default", "PROOF_SITES_3_API_KEYS="+keyA)
	var variables []string
	for _, problem := range got {
		variable, text, found := strings.Cut(problem, ": ")
		if !found || text == "" || strings.ContainsAny(problem, "\r\n") {
			t.Errorf("%q is not one line of variable and text", problem)
		}
		variables = append(variables, variable)
	}
	want := []string{
		"PROOF_ADRR", "PROOF_ALLOWED_ORIGINS", "PROOF_ALLOWED_ORIGINS", "PROOF_API_KEYS", "PROOF_API_KEYS", "PROOF_BUFFER", "PROOF_HEARTBEAT",
		"PROOF_LOG_LEVEL", "PROOF_RETAIN", "PROOF_SITES_0_NAME", "PROOF_SITES_1_ALLOWED_ORIGINS", "PROOF_SITES_1_API_KEYS",
		"PROOF_SITES_1_NAME", "PROOF_SITES_3_ALLOWED_ORIGINS", "PROOF_SITES_3_API_KEYS", "PROOF_SITES_3_NAME",
	}
	if !slices.Equal(variables, want) {
		t.Errorf("got problems with\n%q, want\n%q:\n%s", variables, want, strings.Join(got, "\n"))
	}
}

func TestSubscribersAskedForFitIntoTheLimit(t *testing.T) {
	tests := []struct {
		asked int
		limit uint64
		want  int
	}{
		{5000, 0, 5000}, // unknown
		{5000, 1 << 20, 5000}, {5000, 5256, 5000}, {5000, 5255, 4999}, {5000, 512, 256}, {5000, 257, 1}, {5000, 20, 1}, {1, 20, 1},
		{10_000_000, 1<<64 - 1, 10_000_000},
	}
	for _, test := range tests {
		if got := capSubscribers(test.asked, test.limit); got != test.want {
			t.Errorf("%d with limit %d: got %d, want %d", test.asked, test.limit, got, test.want)
		}
	}
}

func TestDefaultMaxSubscribersLeavesAReserve(t *testing.T) {
	tests := []struct {
		limit uint64
		want  int
	}{
		{0, 100_000}, // unknown
		{1, 1}, {256, 1}, {257, 1}, {258, 2},
		{1024, 768}, {5120, 4864}, {10_000, 9500}, {65_536, 62_260},
		{105_264, 100_000}, {1 << 20, 100_000}, {1<<64 - 1, 100_000},
	}
	for _, test := range tests {
		if got := defaultMaxSubscribers(test.limit); got != test.want {
			t.Errorf("limit %d: got %d, want %d", test.limit, got, test.want)
		}
	}
}
