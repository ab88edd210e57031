package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// healthcheckTimeout bounds how long healthcheck waits for the service.
const healthcheckTimeout = 3 * time.Second

// healthcheck asks /ready of the service that the same environment configures, on this machine. The error is that of an invalid
// configuration, or says why the service is not ready.
func healthcheck(ctx context.Context, c invocation) error {
	cfg, err := readConfig(c.environ)
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
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme, secure := "http", &tls.Config{InsecureSkipVerify: true}
	if cfg.secure() {
		scheme = "https"
	}
	if len(cfg.ACMEHosts) > 0 {
		secure.ServerName = cfg.ACMEHosts[0] // a certificate is chosen by it
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/ready", &http.Client{
		Transport:     &http.Transport{TLSClientConfig: secure},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// check prints the configuration, a variable on each line, without secrets. The error is that of an invalid configuration.
func check(_ context.Context, c invocation) error {
	cfg, err := readConfig(c.environ)
	if err != nil {
		return err
	}
	return printGroup(c.stdout, "", cfg.LogValue())
}

// printGroup prints each attribute of a group as name=value, with the names of the groups around it and dots between them.
func printGroup(w io.Writer, prefix string, group slog.Value) error {
	for _, a := range group.Group() {
		if a.Value.Kind() == slog.KindGroup {
			if err := printGroup(w, prefix+a.Key+".", a.Value); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintf(w, "%s%s=%v\n", prefix, a.Key, a.Value); err != nil {
			return err
		}
	}
	return nil
}
