package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"proofstream/stream/signup"
)

// defaultSite is the site whose keys and origins come from the variables without an index.
const defaultSite = "default"

// Config is the checked configuration: no other code checks it again. Only readConfig makes one. The bounds below are
// inclusive; checkNumbers checks them.
type Config struct {
	// Addr is where to listen, host:port. The default depends: see defaultAddr.
	Addr string `env:"ADDR" envDefault:":6009"`

	// Sites are the site "default" and then the indexed ones, in order. Each has a key.
	Sites []Site `env:"-"`

	// GeneratedKey is a random key for this run, the only one of the default site. It is empty when the environment has a key
	// for that site.
	GeneratedKey string `env:"-"`

	// Hooks are the webhooks, in order. Their options are valid: hook.New accepts them.
	Hooks []Hook `env:"-"`

	// DataDir holds the embedded log and the certificates.
	DataDir string `env:"DATA_DIR" envDefault:"data"`

	// Retain is how many events are kept per site, 1 to 1,000,000.
	Retain int `env:"RETAIN" envDefault:"1000"`

	// Retention is how long an event is kept, 100ms (JetStream's minimum) to 87600h, ten years.
	Retention time.Duration `env:"RETENTION" envDefault:"720h"`

	// NATSURL is one NATS URL, or several with commas; empty for the embedded log. It may hold a password.
	NATSURL string `env:"NATS_URL"`

	// NATSCredsFile is a readable file with credentials, or empty.
	NATSCredsFile string `env:"NATS_CREDS_FILE"`

	// NATSStream is the prefix of the names of streams and subjects: [A-Za-z0-9_-]{1,64}.
	NATSStream string `env:"NATS_STREAM" envDefault:"proofstream"`

	// NATSReplicas is how many copies the cluster keeps, 1 to 5.
	NATSReplicas int `env:"NATS_REPLICAS" envDefault:"1"`

	// NATSUpdate changes the settings of existing streams.
	NATSUpdate bool `env:"NATS_UPDATE" envDefault:"false"`

	// Buffer is how many events wait in a subscriber's channel, 1 to 65,536.
	Buffer int `env:"BUFFER" envDefault:"64"`

	// Heartbeat is the time between two comments to an idle subscriber, 1ms to 1h.
	Heartbeat time.Duration `env:"HEARTBEAT" envDefault:"15s"`

	// Retry is the reconnection delay of browsers before the spread of ±30 %, 1ms to 1h.
	Retry time.Duration `env:"RETRY" envDefault:"3s"`

	// MaxSubscribers is how many streams may be open, 1 to 10,000,000. The default follows the
	// file-descriptor limit: see defaultMaxSubscribers.
	MaxSubscribers int `env:"MAX_SUBSCRIBERS"`

	// MaxSubscribersPerAddress is the same for one client address, 0 to 10,000,000; 0 is off.
	MaxSubscribersPerAddress int `env:"MAX_SUBSCRIBERS_PER_ADDRESS" envDefault:"0"`

	// RateLimit is signups per second and key, 0 to 1,000,000; 0 is off.
	RateLimit int `env:"RATE_LIMIT" envDefault:"100"`

	// TrustedProxies are the networks whose X-Forwarded-For is believed, masked; IPv4 is never written as IPv6.
	TrustedProxies []netip.Prefix `env:"TRUSTED_PROXIES"`

	// TLSCertFile and TLSKeyFile are both empty, or a certificate and its key.
	TLSCertFile string `env:"TLS_CERT_FILE"`
	TLSKeyFile  string `env:"TLS_KEY_FILE"`

	// ACMEHosts are lower-case host names to obtain certificates for; never together with TLS files.
	ACMEHosts []string `env:"ACME_HOSTS"`

	// ACMEEmail is where the certificate authority reaches the operator, or empty.
	ACMEEmail string `env:"ACME_EMAIL"`

	// ACMEDirectory is the https URL of the authority's directory (RFC 8555 section 7.1.1).
	ACMEDirectory string `env:"ACME_DIRECTORY" envDefault:"https://acme-v02.api.letsencrypt.org/directory"`

	// MetricsAddr is where to listen for /metrics, host:port; empty for none (PROOF_METRICS_ADDR=off).
	MetricsAddr string `env:"METRICS_ADDR" envDefault:"localhost:9609"`

	// ShutdownGrace is the longest time from SIGTERM to exit, 1ms to 1h.
	ShutdownGrace time.Duration `env:"SHUTDOWN_GRACE" envDefault:"10s"`

	// LogLevel is debug, info, warn or error, or one of these with an offset, such as info+2.
	LogLevel slog.Level `env:"LOG_LEVEL" envDefault:"info"`

	// LogFormat is text or json.
	LogFormat string `env:"LOG_FORMAT" envDefault:"text"`

	// Linked are the variables that Kubernetes or Docker links have set, sorted. They mean nothing here.
	Linked []string `env:"-"`

	// Texts are the contents of the files that Sites were made from, by path.
	Texts map[string]string `env:"-"`

	// Warnings are what works but may not be meant.
	Warnings []Warning `env:"-"`
}

// Site is one customer website.
type Site struct {
	Name    string
	Keys    []string // API keys that may post for it; at least one, and none of another site
	Origins []string // patterns that origin.Parse accepts; at least one
	Names   signup.Names

	// KeysFrom and OriginsFrom are what Keys and Origins were made from.
	KeysFrom, OriginsFrom Source
}

// Source is where the elements of a list come from: a variable, and a file that another variable names.
type Source struct {
	Given []string // by the variable, or its default
	File  string   // has more, one a line; or empty
}

// variables are all variables except those of indexed sites and of webhooks: the settings of Config, and those that Sites is made from.
type variables struct {
	Config
	Keys        []string `env:"API_KEYS"`
	KeysFile    string   `env:"API_KEYS_FILE"`
	Origins     []string `env:"ALLOWED_ORIGINS" envDefault:"http://localhost:*,http://127.0.0.1:*"` // only without OriginsFile
	OriginsFile string   `env:"ALLOWED_ORIGINS_FILE"`

	Names signup.Names `env:"NAMES" envDefault:"full"`
}

// readConfig reads the configuration from environ, which is as os.Environ returns it, and from the files that it names. The
// error is a *ConfigError with every problem. A blank variable is an unset one. White space around a value or an element of a
// list is dropped, and so are empty elements.
func readConfig(environ []string) (Config, error) {
	var p problems
	known := p.knownVariables(environ)
	v := p.parse(known)

	c := v.Config
	if known["PROOF_ADDR"] == "" {
		c.Addr = p.defaultAddr(c, environ)
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
	p.readHooks(&c, known)

	c.Linked, c.Texts, c.Warnings = linkVariables(environ), p.texts, p.warnings
	if len(p.found) > 0 {
		return Config{}, p.err()
	}
	return c, nil
}

// defaultAddr returns where to listen without PROOF_ADDR: on the port of HTTPS with ACMEHosts, else on the PORT that platforms such as
// Heroku, Cloud Run and Render give, else where the default says.
func (p *problems) defaultAddr(c Config, environ []string) string {
	if len(c.ACMEHosts) > 0 {
		return ":443"
	}
	for _, entry := range environ {
		port, found := strings.CutPrefix(entry, "PORT=")
		if port = strings.TrimSpace(port); !found || port == "" {
			continue
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			p.add("PORT", "must be a port, 1 to 65535; PROOF_ADDR wins over it")
			return c.Addr
		}
		return ":" + port
	}
	return c.Addr
}

// ConfigError has every problem of the environment. Its text shows no value that may be secret. The program exits with status 2
// on it.
type ConfigError struct {
	Problems []string // "VARIABLE: what is wrong and what to do", sorted
}

// Error returns the number of problems and then each on a line.
func (e *ConfigError) Error() string {
	head := "1 problem in the configuration:"
	if n := len(e.Problems); n != 1 {
		head = fmt.Sprintf("%d problems in the configuration:", n)
	}
	return head + "\n  " + strings.Join(e.Problems, "\n  ")
}

// problems collects all problems, so that they are reported at once.
type problems struct {
	found    []problem
	warnings []Warning
	texts    map[string]string // contents of files, by path; those that are there are not read again
}

// Warning is what may not be meant about a variable, and what to do.
type Warning struct{ Variable, Text string }

// problem is what is wrong with one variable and what to do.
type problem struct {
	variable, text string
}

// add adds a problem. The text must not show a value that may be secret.
func (p *problems) add(variable, format string, args ...any) {
	p.found = append(p.found, problem{variable, fmt.Sprintf(format, args...)})
}

// warn adds a warning. The text must not show a value that may be secret.
func (p *problems) warn(variable, format string, args ...any) {
	p.warnings = append(p.warnings, Warning{variable, fmt.Sprintf(format, args...)})
}

// has reports whether the variable has a problem already. Its value is then not to be used.
func (p *problems) has(variable string) bool {
	return slices.ContainsFunc(p.found, func(f problem) bool { return f.variable == variable })
}

// err returns the problems as a *ConfigError, sorted and each once.
func (p *problems) err() error {
	var e ConfigError
	for _, f := range p.found {
		e.Problems = append(e.Problems, f.variable+": "+f.text)
	}
	slices.Sort(e.Problems)
	e.Problems = slices.Compact(e.Problems)
	return &e
}
