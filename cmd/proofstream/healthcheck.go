package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// healthcheckTimeout bounds how long healthcheck waits for the service.
const healthcheckTimeout = 3 * time.Second

// errUnchecked is the error of a health check with an invalid configuration.
var errUnchecked = errors.New("the configuration has problems")

// healthcheck asks /ready of the service that the same environment configures, on this machine. The error, of one line, says why the
// service is not ready, or is errUnchecked.
func healthcheck(ctx context.Context, c invocation) error {
	cfg, err := readConfig(c.environ)
	if wrong, ok := errors.AsType[*ConfigError](err); ok {
		return fmt.Errorf("%w, the first is %s (proofstream check prints all)", errUnchecked, wrong.Problems[0])
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	url, client := healthcheckRequest(cfg)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 100))
	word := strings.TrimSpace(string(body))
	if resp.StatusCode != http.StatusOK {
		return errors.New("not ready: " + cmp.Or(word, resp.Status))
	}
	_, err = fmt.Fprintln(c.stdout, word)
	return err
}

// healthcheckRequest returns the address of /ready on this machine, and a client for it. The client accepts any certificate: it asks
// over the loopback, and the certificate is for another name.
func healthcheckRequest(cfg Config) (url string, client *http.Client) {
	host, port, _ := net.SplitHostPort(cfg.Addr) // readConfig has checked it
	var dial func(ctx context.Context, network, address string) (net.Conn, error)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host, dial = "127.0.0.1", dialLoopback
	}
	scheme, secure := "http", &tls.Config{InsecureSkipVerify: true}
	if cfg.secure() {
		scheme = "https"
	}
	if len(cfg.ACMEHosts) > 0 {
		secure.ServerName = cfg.ACMEHosts[0] // a certificate is chosen by it
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/ready", &http.Client{
		Transport:     &http.Transport{TLSClientConfig: secure, DialContext: dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// dialLoopback dials the port of address on the loopback, over IPv4 and otherwise over IPv6. It needs no name.
func dialLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	if err == nil {
		return conn, nil
	}
	if conn, err6 := d.DialContext(ctx, network, net.JoinHostPort("::1", port)); err6 == nil {
		return conn, nil
	}
	return nil, err
}
