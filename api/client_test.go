package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"proofstream/api/decode"
	"proofstream/stream/ssetest"
	"proofstream/stream/waitfor"
)

const (
	jsonType = "Content-Type: " + decode.JSON
	formType = "Content-Type: " + decode.Form
	partType = "Content-Type: " + decode.Multipart + "; boundary=b"
	asOwner  = "X-API-Key: " + defaultKey // of the site default
)

// response is what a request got, with its whole body.
type response struct {
	status int
	header http.Header
	body   string
}

// request makes a request. Headers are "Name: value"; one without a value is not sent. A body is a form unless the headers say
// otherwise.
func (h *harness) request(t testing.TB, method, path, body string, headers ...string) response {
	t.Helper()
	r, err := http.NewRequest(method, h.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", decode.Form)
	}
	setHeaders(r, headers)
	resp, err := h.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil && !strings.HasPrefix(path, "/events") { // streams end without the final chunk
		t.Fatal(err)
	}
	return response{resp.StatusCode, resp.Header, string(b)}
}

func setHeaders(r *http.Request, headers []string) {
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
}

// post stores a signup of the default site and returns its id.
func (h *harness) post(t testing.TB, json string) (id string) {
	t.Helper()
	got := h.request(t, "POST", "/signup", json, jsonType, asOwner)
	id = ssetest.Field(got.body, "id")
	if got.status != http.StatusOK || id == "" {
		t.Fatalf("post %.200s: got %d %s", json, got.status, got.body)
	}
	return id
}

// postSome stores n signups named 0, 1, 2 …, and returns their ids.
func (h *harness) postSome(t testing.TB, n int) (ids []string) {
	t.Helper()
	for i := range n {
		ids = append(ids, h.post(t, fmt.Sprintf(`{"user_name":"%d"}`, i)))
	}
	return ids
}

// way is one of the ways in which a stream reaches a client.
type way struct {
	name    string
	proto   string // HTTP/1.0, HTTP/1.1, HTTP/2.0
	secured bool
	flush   bool // needs a Server with Options.Flush
}

var ways = []way{
	{name: "HTTP/1.1", proto: "HTTP/1.1"},
	{name: "HTTP/1.0", proto: "HTTP/1.0"},
	{name: "HTTP/1.1 kept with net/http", proto: "HTTP/1.1", flush: true},
	{name: "HTTP/1.0 kept with net/http", proto: "HTTP/1.0", flush: true},
	{name: "HTTP/1.1 over TLS", proto: "HTTP/1.1", secured: true},
	{name: "HTTP/2", proto: "HTTP/2.0", secured: true},
}

// onEach runs a test for each way, with a harness of its own.
func onEach(t *testing.T, test func(t *testing.T, h *harness, w way)) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			test(t, serve(t, func(o *setup) { o.Flush = w.flush }), w)
		})
	}
}

// client is a stream as its client sees it. It goes on from the Last-Event-ID header of the request.
type client struct {
	*http.Response
	*ssetest.Reader
	cut func() // ends the connection from the client's side
}

// open opens a stream over HTTP/1.1.
func (h *harness) open(t testing.TB, path string, headers ...string) *client {
	t.Helper()
	return h.openBy(t, ways[0], path, headers...)
}

// openBy opens a stream in one of the ways.
func (h *harness) openBy(t testing.TB, w way, path string, headers ...string) *client {
	t.Helper()
	resp, cut := h.get(t, w, path, headers...)
	return &client{resp, ssetest.NewReader(resp.Body, resp.Request.Header.Get("Last-Event-ID")), cut}
}

// get makes a GET request in one of the ways and returns the response with its body unread.
func (h *harness) get(t testing.TB, w way, path string, headers ...string) (resp *http.Response, cut func()) {
	t.Helper()
	base := h.url
	if w.secured {
		base = h.secure
	}
	ctx, cut := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	setHeaders(r, headers)
	if w.proto == "HTTP/2.0" {
		resp, err = h.client.Transport.(*http.Transport).Clone().RoundTrip(r)
	} else {
		cut()
		resp, cut, err = roundTrip1(r, w)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cut)
	if resp.Proto != w.proto {
		t.Fatalf("got a response in %s, want %s", resp.Proto, w.proto)
	}
	return resp, cut
}

// roundTrip1 writes the request by hand: net/http's client does not speak HTTP/1.0.
func roundTrip1(r *http.Request, w way) (resp *http.Response, cut func(), err error) {
	conn, err := net.DialTimeout("tcp", r.URL.Host, waitfor.Patience)
	if err != nil {
		return nil, nil, err
	}
	tcp := conn
	conn.SetReadDeadline(time.Now().Add(waitfor.Patience))
	if w.secured {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s %s\r\nHost: %s\r\n", r.URL.RequestURI(), w.proto, r.URL.Host)
	r.Header.Write(&b)
	b.WriteString("\r\n")
	if _, err := conn.Write(b.Bytes()); err != nil {
		return nil, nil, err
	}
	resp, err = http.ReadResponse(bufio.NewReader(conn), r)
	return resp, func() { tcp.Close() }, err
}

// next returns the stream's next n events, without heartbeats.
func (c *client) next(t testing.TB, n int) (events []ssetest.Event) {
	t.Helper()
	for len(events) < n {
		e, err := c.Next()
		if err != nil {
			t.Fatalf("after %d of %d events: %v", len(events), n, err)
		}
		if e.Kind != ssetest.Heartbeat {
			events = append(events, e)
		}
	}
	return events
}

// idsOf returns the ids of events, in order.
func idsOf(events []ssetest.Event) (ids []string) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}
