package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
)

// token is like those of Let's Encrypt, and so is the thumbprint of an account key.
const token, thumbprint = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

// refusingAuthority starts an authority that speaks the ACME of an order for a.example.com, at which both types of challenge fail.
func refusingAuthority(t *testing.T) (directory string) {
	t.Helper()
	var mu sync.Mutex // guards orders and failed
	orders, failed := 0, map[string]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		url := "http://" + r.Host
		w.Header().Set("Replay-Nonce", "nonce")
		parts := strings.Split(r.URL.Path, "/") // "", a resource, the number of an order, a type of challenge
		switch parts[1] {
		case "directory":
			fmt.Fprintf(w, `{"newNonce":"%s/nonce","newAccount":"%[1]s/account","newOrder":"%[1]s/order"}`, url)
		case "account":
			w.Header().Set("Location", url+"/account/1")
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, `{"status":"valid"}`)
		case "order":
			orders++
			w.Header().Set("Location", fmt.Sprintf("%s/order/%d", url, orders))
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"status":"pending","authorizations":["%s/authorization/%d"]}`, url, orders)
		case "challenge":
			failed[parts[2]] = parts[3]
			fmt.Fprintf(w, `{"type":%q,"url":"%s%s","status":"processing"}`, parts[3], url, r.URL.Path)
		case "authorization":
			io.WriteString(w, refused(url+"/challenge/"+parts[2], failed[parts[2]]))
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/directory"
}

// refused returns the response about an authorization with challenges below url, of which one type has failed, if any.
func refused(url, failed string) string {
	status, challenges := "pending", []string{}
	for name, problem := range map[string]string{
		"tls-alpn-01": `{"type":"urn:ietf:params:acme:error:connection","detail":"192.0.2.7: no route to host"}`,
		"http-01":     `{"type":"urn:ietf:params:acme:error:unauthorized","detail":"Expected ` + token + "." + thumbprint + `, got a parked page"}`,
	} {
		if name == failed {
			status = "invalid"
		} else {
			problem = "null"
		}
		challenges = append(challenges, fmt.Sprintf(`{"type":%q,"url":"%s/%s","token":%q,"error":%s}`, name, url, name, token, problem))
	}
	return authorization("a.example.com", status, challenges...)
}

// The warning about a missing certificate says what the authority found at each challenge, once and without the token.
func TestWarningHasTheWordsOfTheAuthority(t *testing.T) {
	var log bytes.Buffer
	cfg := Config{ACMEHosts: []string{"a.example.com"}, DataDir: t.TempDir(), ACMEDirectory: refusingAuthority(t)}
	link := newTransport(cfg, slog.New(slog.NewTextHandler(&log, nil)))
	hello := &tls.ClientHelloInfo{ServerName: "a.example.com", CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
	for range 2 {
		if _, err := link.tls.GetCertificate(hello); err == nil {
			t.Fatal("got a certificate")
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("got %d warnings, want one:\n%s", n, &log)
	}
	for _, want := range []string{"tls-alpn-01: urn:ietf:params:acme:error:connection: 192.0.2.7: no route to host",
		"http-01: urn:ietf:params:acme:error:unauthorized: Expected ….…, got a parked page"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the warning does not say %q:\n%s", want, &log)
		}
	}
	for _, secret := range []string{token, thumbprint} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%s is in the log:\n%s", secret, &log)
		}
	}
}

// authorization returns the response about an authorization of a host, and challenge one of its challenges.
func authorization(host, status string, challenges ...string) string {
	return fmt.Sprintf(`{"status":%q,"identifier":{"type":"dns","value":%q},"challenges":[%s]}`, status, host, strings.Join(challenges, ","))
}

func challenge(name, detail string) string {
	return fmt.Sprintf(`{"type":%q,"status":"invalid","error":{"type":"urn:x","detail":%q}}`, name, detail)
}

func TestReasonIsWhatTheAuthoritySaidLast(t *testing.T) {
	for name, tt := range map[string]struct {
		responses []string // each with its status
		want      string
	}{
		"nothing is wrong":               {[]string{"200 " + authorization("a.example", "pending")}, ""},
		"a challenge failed":             {[]string{"200 " + authorization("a.example", "invalid", challenge("http-01", "refused"))}, "http-01: urn:x: refused"},
		"a challenge of another host":    {[]string{"200 " + authorization("b.example", "invalid", challenge("http-01", "refused"))}, ""},
		"a valid authorization ends it":  {[]string{"200 " + authorization("a.example", "invalid", challenge("http-01", "refused")), "200 " + authorization("a.example", "valid")}, ""},
		"that of another host does not":  {[]string{"200 " + authorization("a.example", "invalid", challenge("http-01", "refused")), "200 " + authorization("b.example", "valid")}, "http-01: urn:x: refused"},
		"a refused request":              {[]string{`429 {"type":"urn:limit","detail":"too many","status":429}`}, "urn:limit: too many"},
		"a refused nonce is tried again": {[]string{`400 {"type":"urn:ietf:params:acme:error:badNonce","detail":"old","status":400}`}, ""},
		"a refusal without a problem":    {[]string{"503 <h1>maintenance</h1>"}, "503 Service Unavailable"},
		"an order that failed":           {[]string{`200 {"status":"invalid","error":{"type":"urn:caa","detail":"forbidden"}}`}, "urn:caa: forbidden"},
		"a certificate":                  {[]string{"200 -----BEGIN CERTIFICATE-----"}, ""},
		"JSON of another form":           {[]string{`200 {"challenges":7,"error":"no"}`, "200 []"}, ""},
		"challenges are named in order, also when one is read again": {[]string{
			"200 " + authorization("a.example", "invalid", challenge("tls-alpn-01", "reset")),
			"200 " + authorization("a.example", "invalid", challenge("http-01", "refused")),
			"200 " + authorization("a.example", "invalid", challenge("tls-alpn-01", "reset")),
			`429 {"type":"urn:limit","detail":"too many","status":429}`}, "http-01: urn:x: refused; tls-alpn-01: urn:x: reset"},
		"a long detail is cut": {[]string{`403 {"detail":"` + strings.Repeat("é ", 1000) + `"}`}, strings.Repeat("é ", 250)},
	} {
		t.Run(name, func(t *testing.T) {
			var a acmeAuthority
			for _, response := range tt.responses {
				roundTrip(t, &a, response)
			}
			if got := a.reason("a.example"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// roundTrip makes a request through a whose response is a status, a space and a body. The client must get all of the body.
func roundTrip(t *testing.T, a *acmeAuthority, response string) {
	t.Helper()
	status, want, _ := strings.Cut(response, " ")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var code int
		fmt.Sscan(status, &code)
		w.WriteHeader(code)
		io.WriteString(w, want)
	}))
	defer s.Close()
	resp, err := (&http.Client{Transport: a}).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != want {
		t.Errorf("the client got %d bytes (%v), want the %d of the response", len(got), err, len(want))
	}
}

// An endless response is not read to its end, and a long one reaches the client whole.
func TestOnlyTheStartOfAResponseIsSearched(t *testing.T) {
	var a acmeAuthority
	roundTrip(t, &a, `403 {"detail":"`+strings.Repeat("x ", acmeReadBytes)+`"}`)
	if got, want := a.reason("a.example"), "403 Forbidden"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, acmeReadBytes+1))
		w.(http.Flusher).Flush()
		<-r.Context().Done() // the client has gone
	}))
	defer s.Close()
	resp, err := (&http.Client{Transport: &a, Timeout: 10 * time.Second}).Get(s.URL)
	if err != nil {
		t.Fatalf("got %v, want the response after its first %d bytes", err, acmeReadBytes)
	}
	resp.Body.Close()
}

// Hosts whose challenges fail at the same time get each its own reason.
func TestReasonsOfHostsAreKeptApart(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.URL.Query().Get("host")
		io.WriteString(w, authorization(host, "invalid", challenge("http-01", "refused by "+host)))
	}))
	defer s.Close()
	var a acmeAuthority
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			host := fmt.Sprintf("h%d.example", i)
			resp, err := (&http.Client{Transport: &a}).Get(s.URL + "?host=" + host)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if got, want := a.reason(host), "http-01: urn:x: refused by "+host; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	wg.Wait()
}

// A certificate whose renewal does not reach the authority is one warning with the reason, and another one when the authority is back and refuses.
func TestRenewalThatFailsHasItsReason(t *testing.T) {
	var log bytes.Buffer
	f := &acmeFailures{hosts: []string{"a.example"}, logger: slog.New(slog.NewTextHandler(&log, nil))}
	old := certificateFor(90*24*time.Hour, 24*time.Hour)
	for range 3 {
		if _, err := (&http.Client{Transport: &f.authority}).Get("http://" + e2e.FreeAddress(t)); err == nil {
			t.Fatal("got a response from nobody")
		}
		f.note("a.example", old, nil)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "connection refused") {
		t.Errorf("got %d warnings, want one that the connection was refused:\n%s", n, &log)
	}
	log.Reset()
	roundTrip(t, &f.authority, `429 {"type":"urn:limit","detail":"too many","status":429}`)
	f.note("a.example", old, nil)
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), `authority="urn:limit: too many"`) {
		t.Errorf("got %d warnings, want one that there were too many:\n%s", n, &log)
	}
}
