package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// defaultSite is the site whose keys and origins come from the variables without an index.
const defaultSite = "default"

// Config is the checked configuration: no other code checks it again. Only readConfig makes
// one. Bounds are inclusive; see (*Config).bounds.
type Config struct {
	// Addr is where to listen, host:port. With ACMEHosts the default is :443.
	Addr string `env:"ADDR" envDefault:":6009"`

	// Sites begins with the site "default"; the indexed ones follow in order. Each has a key.
	Sites []Site `env:"-"`

	// GeneratedKey is a random key for this run, also the only one of the default site. It is empty
	// when the operator gave a key.
	GeneratedKey string `env:"-"`

	// DataDir holds the embedded log and the certificates.
	DataDir string `env:"DATA_DIR" envDefault:"data"`

	// NATSURL is one NATS URL or several with commas; empty is the embedded log. It may hold a password.
	NATSURL string `env:"NATS_URL"`

	// NATSCredsFile is readable when not empty.
	NATSCredsFile string `env:"NATS_CREDS_FILE"`

	// NATSStream begins the names of the streams and their subjects: [A-Za-z0-9_-]{1,64}.
	NATSStream string `env:"NATS_STREAM" envDefault:"proofstream"`

	// NATSReplicas is how many copies the cluster keeps, 1 to 5.
	NATSReplicas int `env:"NATS_REPLICAS" envDefault:"1"`

	// NATSUpdate allows to change the settings of streams that exist.
	NATSUpdate bool `env:"NATS_UPDATE" envDefault:"false"`

	// Retain is how many events are kept per site, 1 to 1,000,000.
	Retain int `env:"RETAIN" envDefault:"1000"`

	// Retention is how long an event is kept, 100ms (JetStream's least) to ten years.
	Retention time.Duration `env:"RETENTION" envDefault:"720h"`

	// Buffer is how many events wait in a subscriber's channel, 1 to 65,536.
	Buffer int `env:"BUFFER" envDefault:"64"`

	// Heartbeat is the time between two comments to an idle subscriber, 1ms to 1h.
	Heartbeat time.Duration `env:"HEARTBEAT" envDefault:"15s"`

	// Retry is the reconnection delay asked of browsers before the spread, 1ms to 1h.
	Retry time.Duration `env:"RETRY" envDefault:"3s"`

	// MaxSubscribers is how many streams may be open, 1 to 10,000,000. The default follows the
	// file-descriptor limit: see defaultMaxSubscribers.
	MaxSubscribers int `env:"MAX_SUBSCRIBERS"`

	// MaxSubscribersPerAddress is the same for one address, up to 10,000,000; zero is off.
	MaxSubscribersPerAddress int `env:"MAX_SUBSCRIBERS_PER_ADDRESS" envDefault:"0"`

	// RateLimit is signups per second and key, up to 1,000,000; zero is off.
	RateLimit int `env:"RATE_LIMIT" envDefault:"100"`

	// TrustedProxies are the networks whose X-Forwarded-For is believed, masked; IPv4 is never written as IPv6.
	TrustedProxies []netip.Prefix `env:"TRUSTED_PROXIES"`

	// TLSCertFile and TLSKeyFile are both empty, or a pair that fits.
	TLSCertFile string `env:"TLS_CERT_FILE"`
	TLSKeyFile  string `env:"TLS_KEY_FILE"`

	// ACMEHosts are lower-case host names to obtain certificates for; never together with TLS files.
	ACMEHosts []string `env:"ACME_HOSTS"`

	// MetricsAddr is where metrics are served, host:port; empty is nowhere (PROOF_METRICS_ADDR=off).
	MetricsAddr string `env:"METRICS_ADDR" envDefault:"localhost:9609"`

	// ShutdownGrace is the longest time from SIGTERM to exit, 1ms to 1h.
	ShutdownGrace time.Duration `env:"SHUTDOWN_GRACE" envDefault:"10s"`

	LogLevel slog.Level `env:"LOG_LEVEL" envDefault:"info"`

	// LogFormat is text or json.
	LogFormat string `env:"LOG_FORMAT" envDefault:"text"`
}

// Site is one customer website.
type Site struct {
	Name    string
	Keys    []string // who may post for it; at least one, no other site has any of them
	Origins []string // patterns that origin.Parse accepts; at least one
}

// variables is Config as the environment has it: the settings that are used as they are, and those that Sites is
// computed from.
type variables struct {
	Config
	Keys     []string `env:"API_KEYS"`
	KeysFile string   `env:"API_KEYS_FILE"`
	Origins  []string `env:"ALLOWED_ORIGINS" envDefault:"http://localhost:*,http://127.0.0.1:*"`
}

// readConfig reads the configuration from environ, as os.Environ gives it, and from the files that it names,
// but no other. An error is a *ConfigError with every problem. A blank variable is an unset one, and
// white space around a value or a list's element is no part of it; empty elements of a list are skipped.
func readConfig(environ []string) (Config, error) {
	var p problems
	known := p.knownVariables(environ)
	v := p.parse(known)

	c := v.Config
	if len(c.ACMEHosts) > 0 && known["PROOF_ADDR"] == "" {
		c.Addr = ":443"
	}
	if known["PROOF_MAX_SUBSCRIBERS"] == "" {
		c.MaxSubscribers = defaultMaxSubscribers(descriptorLimit())
	}
	p.checkNumbers(&c)
	p.checkAddresses(&c)
	p.checkNATS(&c)
	p.checkTLS(&c)
	p.checkLog(&c)
	p.readSites(&c, v, known)

	if len(p.found) > 0 {
		return Config{}, p.err()
	}
	return c, nil
}

// ConfigError lists everything that is wrong with the environment. No text in it holds a value that may be
// secret. The program ends with status 2 on it.
type ConfigError struct {
	Problems []string // "VARIABLE: what is wrong and what to do", sorted
}

func (e *ConfigError) Error() string {
	head := "1 problem in the configuration:"
	if n := len(e.Problems); n != 1 {
		head = fmt.Sprintf("%d problems in the configuration:", n)
	}
	return head + "\n  " + strings.Join(e.Problems, "\n  ")
}

// problems collects what is wrong, so that all of it is reported at once.
type problems struct {
	found []problem
}

type problem struct {
	variable, text string
}

func (p *problems) add(variable, format string, args ...any) {
	p.found = append(p.found, problem{variable, fmt.Sprintf(format, args...)})
}

// has reports whether the variable has a problem already; its value means nothing then.
func (p *problems) has(variable string) bool {
	return slices.ContainsFunc(p.found, func(f problem) bool { return f.variable == variable })
}

func (p *problems) err() error {
	var e ConfigError
	for _, f := range p.found {
		e.Problems = append(e.Problems, f.variable+": "+f.text)
	}
	slices.Sort(e.Problems)
	e.Problems = slices.Compact(e.Problems)
	return &e
}
