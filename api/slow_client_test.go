package api

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"proofstream/stream/waitfor"
)

// dial opens a connection of its own, writes text, and then, until the test ends, a byte of dribble every 20 ms.
func dial(t *testing.T, url, text, dribble string) (conn *net.TCPConn, back *bufio.Reader) {
	t.Helper()
	plain, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	conn = plain.(*net.TCPConn)
	t.Cleanup(func() { conn.Close() })
	conn.SetReadDeadline(time.Now().Add(waitfor.Patience))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if dribble != "" {
		go func() {
			for _, err := io.WriteString(conn, dribble); err == nil; _, err = io.WriteString(conn, dribble) {
				time.Sleep(20 * time.Millisecond)
			}
		}()
	}
	return conn, bufio.NewReader(conn)
}

// awaitCut reads until the other end has closed the connection.
func awaitCut(t *testing.T, back *bufio.Reader) {
	t.Helper()
	if _, err := io.Copy(io.Discard, back); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection was not cut")
	}
}

// A body whose bytes come one by one is cut like one that stops: progress is not enough.
func TestSlowBodyIsCut(t *testing.T) {
	h := serve(t, func(o *setup) { o.ClientTimeout = 300 * time.Millisecond })
	for _, dribble := range []string{"", " "} {
		_, back := dial(t, h.url, "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 16000\r\n\r\n{", dribble)
		resp, err := http.ReadResponse(back, nil)
		if err != nil || resp.StatusCode != http.StatusRequestTimeout {
			t.Errorf("with %q: got %v %v, want 408", dribble, resp, err)
		}
		awaitCut(t, back)
	}
	for _, head := range []string{
		"POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
		"GET /live HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n1", // no handler reads this body, nor the next two
		"DELETE /signup/a-1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n1",
		"PUT /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n1",
	} {
		_, back := dial(t, h.url, head, "")
		awaitCut(t, back)
	}
	h.awaitMetric(t, `proofstream_signups_total{outcome="slow",site="_unknown"} 3`)
}

// The defaults: no client holds a connection for half a minute without a whole request.
func TestTimeLimitsAreShortEnough(t *testing.T) {
	h := serve(t)
	server := h.HTTP()
	if server.ReadHeaderTimeout <= 0 || server.ReadHeaderTimeout > 10*time.Second {
		t.Errorf("headers may take %v, want at most 10 s", server.ReadHeaderTimeout)
	}
	if h.o.ClientTimeout <= 0 || h.o.ClientTimeout > 30*time.Second {
		t.Errorf("a body may take %v, want at most 30 s", h.o.ClientTimeout)
	}
	if server.WriteTimeout != 0 || server.ReadTimeout != 0 {
		t.Error("a limit on whole responses would end streams")
	}
}

// The default is checked above; here a shorter limit shows that headers which come byte by byte are cut too.
func TestSlowHeadersAreCut(t *testing.T) {
	h := serve(t)
	server := h.HTTP()
	server.ReadHeaderTimeout = 300 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	for _, dribble := range []string{"", "x"} {
		_, back := dial(t, "http://"+l.Addr().String(), "GET /events HTTP/1.1\r\nHost: x\r\nX-Slow", dribble)
		awaitCut(t, back)
	}
}

func TestLongHeadersAreRefused(t *testing.T) {
	h := serve(t)
	if got := h.request(t, "GET", "/live", "", "X-Long: "+strings.Repeat("x", 64<<10)); got.status != 431 {
		t.Errorf("64 KiB of header: got %d, want 431", got.status)
	}
	if got := h.request(t, "GET", "/live", "", "X-Long: "+strings.Repeat("x", 16<<10)); got.status != 200 {
		t.Errorf("16 KiB of header: got %d, want 200", got.status)
	}
}

// A stream outlives the time limit of everything else, on both ways of writing.
func TestPatienceDoesNotEndStreams(t *testing.T) {
	const patience = 200 * time.Millisecond
	for _, flush := range []bool{false, true} {
		h := serve(t, func(o *setup) { o.ClientTimeout, o.Flush = patience, flush })
		c := h.open(t, "/events")
		c.next(t, 1)
		for range 3 {
			time.Sleep(patience + 20*time.Millisecond) // the limit passes; what follows shows that the stream is open
			id := h.post(t, `{}`)
			if got := c.next(t, 1)[0].ID; got != id {
				t.Errorf("flush %v: got %s, want %s", flush, got, id)
			}
		}
	}
}

// A client that has sent all may close its side: to net/http that is the same as one that has disconnected, but it still reads.
func TestClientThatHasClosedItsSendingSideGetsItsResponse(t *testing.T) {
	h := serve(t)
	for _, request := range []string{
		"POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-API-Key: " + defaultKey + "\r\nContent-Length: 2\r\n\r\n{}",
		"DELETE /signup/" + h.post(t, `{}`) + " HTTP/1.1\r\nHost: x\r\nX-API-Key: " + defaultKey + "\r\n\r\n",
	} {
		conn, back := dial(t, h.url, request, "")
		conn.CloseWrite()
		resp, err := http.ReadResponse(back, nil)
		if err != nil || resp.StatusCode >= 300 {
			t.Errorf("%.20s: got %v %v, want success", request, resp, err)
		}
	}
}
