package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// acmeAuthority is the transport of an ACME client. It remembers why the authority issued nothing, since autocert returns neither why a
// challenge failed nor why a renewal did.
type acmeAuthority struct {
	mu        sync.Mutex                   // guards what follows
	unreached error                        // why the last request got no response
	refusal   string                       // the last problem that was of no host's challenge
	failed    map[string]map[string]string // problems by host and type of challenge
}

// reason returns why no certificate was issued for host: the authority is out of reach, or what it said last about the challenges of the
// host, or else what it refused last. It is empty if all went well.
func (a *acmeAuthority) reason(host string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unreached != nil {
		return a.unreached.Error()
	}
	var problems []string
	for _, challenge := range slices.Sorted(maps.Keys(a.failed[host])) {
		problems = append(problems, challenge+": "+a.failed[host][challenge])
	}
	if problems == nil {
		return a.refusal
	}
	return strings.Join(problems, "; ")
}

// acmeReadBytes is how much of a response is searched for a problem. An authorization has a few thousand bytes.
const acmeReadBytes = 64 << 10

// RoundTrip implements [http.RoundTripper]. The response stays as it is.
func (a *acmeAuthority) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	a.mu.Lock()
	a.unreached = err
	a.mu.Unlock()
	if err != nil {
		return nil, err
	}
	body := bufio.NewReaderSize(resp.Body, acmeReadBytes)
	start, _ := body.Peek(acmeReadBytes) // the client gets the error, if there is one, when it reads
	a.note(resp, start)
	resp.Body = struct {
		io.Reader
		io.Closer
	}{body, resp.Body}
	return resp, nil
}

// note remembers the problems in a response: of its request, of an order or of the challenges of an authorization (RFC 8555 sections 6.7 and
// 7.1). A valid authorization ends those of its host. A refused nonce is no problem: the client tries again.
func (a *acmeAuthority) note(resp *http.Response, body []byte) {
	var said struct {
		acmeProblem
		Status     any // of a problem it is a number
		Identifier struct{ Value string }
		Error      acmeProblem
		Challenges []struct {
			Type  string
			Error acmeProblem
		}
	}
	parsed := json.Unmarshal(body, &said) == nil
	problem := said.Error
	if resp.StatusCode >= http.StatusBadRequest {
		problem = said.acmeProblem
		if problem.Detail == "" {
			problem.Detail = resp.Status
		}
	} else if !parsed {
		return // a certificate
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if problem.Detail != "" && !strings.HasSuffix(problem.Type, ":badNonce") {
		a.refusal = problem.String()
	}
	host := said.Identifier.Value
	if host != "" && said.Status == "valid" {
		a.refusal = ""
		delete(a.failed, host)
		return
	}
	for _, challenge := range said.Challenges {
		if challenge.Error.Detail != "" {
			a.fail(host, challenge.Type, challenge.Error.String())
		}
	}
}

// fail remembers the problem of a challenge. Callers hold a.mu.
func (a *acmeAuthority) fail(host, challenge, problem string) {
	if a.failed == nil {
		a.failed = map[string]map[string]string{}
	}
	if a.failed[host] == nil {
		a.failed[host] = map[string]string{}
	}
	a.failed[host][challenge] = problem
}

// acmeProblem is a problem document (RFC 9457).
type acmeProblem struct{ Type, Detail string }

// acmeTokens matches tokens of challenges and thumbprints of account keys (RFC 8555 section 8.1).
var acmeTokens = regexp.MustCompile(`[A-Za-z0-9_-]{43,}`)

// String returns type and detail for a log: at most 500 characters of the detail, which may quote what another server served, and "…" for
// each token.
func (p acmeProblem) String() string {
	detail := fmt.Sprintf("%.500s", acmeTokens.ReplaceAllString(p.Detail, "…"))
	if p.Type == "" {
		return detail
	}
	return p.Type + ": " + detail
}
