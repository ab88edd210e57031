package main

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"proofstream/stream/hostname"
)

// maxPerHost is the upper bound of settings that count streams: more than any machine was measured with.
const maxPerHost = 10_000_000

// maxWait is the upper bound of durations that a client or an operator waits for.
const maxWait = time.Hour

// tenYears is the upper bound of PROOF_RETENTION.
const tenYears = 10 * 365 * 24 * time.Hour

// checkNumbers checks every number and duration against the bounds in Config's comments. The upper bounds are beyond any use:
// they catch a wrong unit before it costs memory or delays a shutdown.
func (p *problems) checkNumbers(c *Config) {
	checkBounds(p, "PROOF_RETAIN", c.Retain, 1, 1_000_000)
	checkBounds(p, "PROOF_RETENTION", c.Retention, 100*time.Millisecond, tenYears)
	checkBounds(p, "PROOF_BUFFER", c.Buffer, 1, 65_536)
	checkBounds(p, "PROOF_HEARTBEAT", c.Heartbeat, time.Millisecond, maxWait)
	checkBounds(p, "PROOF_RETRY", c.Retry, time.Millisecond, maxWait)
	checkBounds(p, "PROOF_SHUTDOWN_GRACE", c.ShutdownGrace, time.Millisecond, maxWait)
	checkBounds(p, "PROOF_MAX_SUBSCRIBERS", c.MaxSubscribers, 1, maxPerHost)
	checkBounds(p, "PROOF_MAX_SUBSCRIBERS_PER_ADDRESS", c.MaxSubscribersPerAddress, 0, maxPerHost)
	checkBounds(p, "PROOF_RATE_LIMIT", c.RateLimit, 0, 1_000_000)
	checkBounds(p, "PROOF_NATS_REPLICAS", c.NATSReplicas, 1, 5)
}

// checkBounds adds a problem unless the value is within the bounds, which are inclusive.
func checkBounds[T int | time.Duration](p *problems, variable string, value, least, most T) {
	if !p.has(variable) && (value < least || value > most) {
		p.add(variable, "out of range; choose from %v to %v", least, most)
	}
}

// minReserve is how many open files are left for the log, backends and new clients, whatever PROOF_MAX_SUBSCRIBERS is: without
// one the service accepts no connection.
const minReserve = 256

// capSubscribers returns how many of the requested streams a limit of open files allows, at least 1. A limit of 0 is unknown and
// allows all.
func capSubscribers(requested int, limit uint64) int {
	if limit == 0 || limit >= uint64(requested)+minReserve {
		return requested
	}
	return int(max(limit, minReserve+1) - minReserve)
}

// defaultMaxSubscribers returns how many streams fit into a limit of open files less a reserve of 5 %, at least minReserve. The
// result is 1 to 100,000, and 100,000 for a limit of 0, which is unknown.
func defaultMaxSubscribers(limit uint64) int {
	const most = 100_000
	reserve := max(limit/20, minReserve)
	switch {
	case limit == 0 || limit-min(reserve, limit) >= most:
		return most
	case limit <= reserve:
		return 1
	}
	return int(limit - reserve)
}

// checkAddresses checks the addresses to listen on, and empties a MetricsAddr of off.
func (p *problems) checkAddresses(c *Config) {
	p.checkAddress("PROOF_ADDR", c.Addr)
	if c.MetricsAddr == "off" {
		c.MetricsAddr = ""
		return
	}
	p.checkAddress("PROOF_METRICS_ADDR", c.MetricsAddr)
	if c.MetricsAddr != defaultMetricsAddr && sameAddress(c.Addr, c.MetricsAddr) {
		p.add("PROOF_METRICS_ADDR", "the same address as PROOF_ADDR, and only one of both can have it; choose another port, or off")
	}
}

// checkAddress adds a problem unless addr is host:port with a number for a port.
func (p *problems) checkAddress(variable, addr string) {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		p.add(variable, "not an address to listen on; write host:port, or :port for every interface")
	}
}

// streamName matches a prefix that JetStream takes in names of streams and subjects.
var streamName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// checkNATS checks the settings of a cluster. They are problems without PROOF_NATS_URL: an operator who sets three copies and
// forgets the URL must not run on one.
func (p *problems) checkNATS(c *Config) {
	if !streamName.MatchString(c.NATSStream) {
		p.add("PROOF_NATS_STREAM", "not a stream name; use 1 to 64 letters, digits, - and _")
	}
	p.checkReadable("PROOF_NATS_CREDS_FILE", c.NATSCredsFile)
	if c.NATSURL == "" {
		const alone = "means nothing without PROOF_NATS_URL; set that, or leave this unset"
		if c.NATSCredsFile != "" {
			p.add("PROOF_NATS_CREDS_FILE", alone)
		}
		if c.NATSReplicas > 1 {
			p.add("PROOF_NATS_REPLICAS", alone)
		}
		if c.NATSUpdate {
			p.add("PROOF_NATS_UPDATE", alone)
		}
		return
	}
	list, err := parseList(c.NATSURL)
	for _, u := range list {
		if !isNATSURL(u) {
			err = errors.New("not a NATS address; write nats://host:4222 (or tls, ws, wss), several with commas")
		}
	}
	if err != nil {
		p.add("PROOF_NATS_URL", "%v", err)
	}
	c.NATSURL = strings.Join(list, ",")
}

// isNATSURL reports whether the client library accepts a URL. Without a scheme the URL is nats.
func isNATSURL(s string) bool {
	if !strings.Contains(s, "://") {
		s = "nats://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return false
	}
	switch u.Scheme {
	case "nats", "tls", "ws", "wss":
		return true
	}
	return false
}

// checkTLS checks the TLS files and the ACME hosts, and puts the latter in lower case.
func (p *problems) checkTLS(c *Config) {
	const certFile, keyFile, hosts = "PROOF_TLS_CERT_FILE", "PROOF_TLS_KEY_FILE", "PROOF_ACME_HOSTS"
	for i, host := range c.ACMEHosts {
		c.ACMEHosts[i] = strings.ToLower(host)
		if !hostname.IsPublic(c.ACMEHosts[i]) {
			p.add(hosts, "name %d cannot get a certificate; write full host names such as proof.example.com, "+
				"without scheme, port or wildcard", i+1)
		}
	}
	p.checkACME(c)
	cert, key := c.TLSCertFile != "", c.TLSKeyFile != ""
	if len(c.ACMEHosts) > 0 && (cert || key) {
		p.add(hosts, "not together with TLS files; unset this, or %s and %s", certFile, keyFile)
	}
	if cert && !key {
		p.add(keyFile, "missing, for %s is set; set both or none", certFile)
	}
	if key && !cert {
		p.add(certFile, "missing, for %s is set; set both or none", keyFile)
	}
	readable := p.checkReadable(certFile, c.TLSCertFile)
	readable = p.checkReadable(keyFile, c.TLSKeyFile) && readable
	if cert && key && readable {
		if _, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile); err != nil {
			p.add(certFile, "no pair in PEM form with %s: %v", keyFile, err)
		}
	}
}

// checkReadable reports whether the file that a variable names can be opened, or the variable is unset. Otherwise it adds a
// problem.
func (p *problems) checkReadable(variable, path string) bool {
	if path == "" {
		return true
	}
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil && info.IsDir() {
			err = errors.New("is a directory")
		}
	}
	if err != nil {
		p.addUnreadable(variable, path, err)
	}
	return err == nil
}

// addUnreadable adds a problem of a file that cannot be read. It shows the path only when that starts with / or a dot: the value
// may be the secret itself.
func (p *problems) addUnreadable(variable, path string, err error) {
	shown := "the file"
	if strings.HasPrefix(path, "/") || strings.HasPrefix(path, ".") {
		shown = strconv.Quote(path)
	}
	var detail *fs.PathError
	if errors.As(err, &detail) {
		err = detail.Err // without the path
	}
	p.add(variable, "cannot read %s: %v; it takes the path of a file that this user may read", shown, err)
}

// checkLog checks the log format. The level is checked when it is parsed.
func (p *problems) checkLog(c *Config) {
	if c.LogFormat != "text" && c.LogFormat != "json" {
		p.add("PROOF_LOG_FORMAT", "write text or json")
	}
}
