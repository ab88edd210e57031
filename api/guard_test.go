package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"proofstream/stream"
)

func TestEveryAnswerCarriesTheHeadersOfItsKind(t *testing.T) {
	f := newHarness(t, func(o *Options) { o.HSTS = true })
	for _, tt := range []struct{ method, path, body, origin string }{
		{"GET", "/", "", ""},
		{"GET", "/live", "", ""},
		{"GET", "/ready", "", "https://pages.example.com"},
		{"GET", "/stats", "", ""},
		{"GET", "/recent", "", "https://evil.example.com"},
		{"GET", "/recent", "", "null"},
		{"GET", "/events", "", "https://evil.example.com"},
		{"GET", "/events?site=nowhere", "", ""},
		{"GET", "/events?recent=x", "", ""},
		{"POST", "/events", "x", ""},
		{"GET", "/assets/proof.js", "", "https://evil.example.com"},
		{"GET", "/assets/default.svg", "", ""},
		{"GET", "/assets/nothing.js", "", ""},
		{"GET", "/nothing", "", ""},
		{"POST", "/signup", "user_name=A", ""},
		{"POST", "/signup", "api_key=" + defaultKey, ""},
		{"POST", "/signup", "api_key=" + defaultKey + "&x=y", ""},
		{"DELETE", "/signup/a-1", "", ""},
		{"OPTIONS", "/signup", "", "https://evil.example.com"},
		{"OPTIONS", "/events", "", "https://pages.example.com"},
		{"HEAD", "/", "", ""},
		{"PUT", "/", "x", ""},
	} {
		got := f.ask(t, tt.method, tt.path, tt.body, "Origin: "+tt.origin)
		name := fmt.Sprintf("%s %s from %q (%d)", tt.method, tt.path, tt.origin, got.status)
		if got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: no nosniff", name)
		}
		if got.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: Referrer-Policy %q", name, got.header.Get("Referrer-Policy"))
		}
		if !strings.Contains(got.header.Get("Content-Security-Policy"), "frame-ancestors ") {
			t.Errorf("%s: Content-Security-Policy %q", name, got.header.Get("Content-Security-Policy"))
		}
		if page := tt.path == "/" && got.status == 200; !page && got.header.Get("Content-Security-Policy") != bodyPolicy {
			t.Errorf("%s: Content-Security-Policy %q", name, got.header.Get("Content-Security-Policy"))
		}
		if got.header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: no HSTS", name)
		}
		if vary := strings.Join(got.header.Values("Vary"), ", "); !regexp.MustCompile(`\bOrigin\b`).MatchString(vary) {
			t.Errorf("%s: Vary %q", name, vary)
		}
		if len(got.header.Values("Access-Control-Allow-Credentials")) > 0 {
			t.Errorf("%s: credentials are allowed", name)
		}
	}
}

func TestHSTSIsNotSentWithoutTLS(t *testing.T) {
	if got := newHarness(t, nil).ask(t, "GET", "/live", ""); got.header.Get("Strict-Transport-Security") != "" {
		t.Errorf("got %q", got.header.Get("Strict-Transport-Security"))
	}
}

func TestPreflightsSucceedForEveryDocumentedHeader(t *testing.T) {
	f := newHarness(t, nil)
	headers := []string{"Content-Type", "Authorization", "X-API-Key", "Idempotency-Key", "Last-Event-ID", "Cache-Control"}
	preflight := func(path, origin, method, headers string) answered {
		return f.ask(t, "OPTIONS", path, "", "Origin: "+origin, "Access-Control-Request-Method: "+method,
			"Access-Control-Request-Headers: "+headers)
	}
	for path, method := range map[string]string{
		"/signup": "POST", "/signup/a-1": "DELETE", "/events": "GET", "/recent?limit=3": "GET", "/stats": "GET",
	} {
		for _, h := range append(headers, "authorization,content-type,idempotency-key") {
			got := preflight(path, "https://pages.example.com", method, strings.ToLower(h))
			if got.header.Get("Access-Control-Allow-Origin") != "https://pages.example.com" || got.status/100 != 2 {
				t.Errorf("preflight for %s %s with %s: %d %v", method, path, h, got.status, got.header)
			}
		}
		if got := preflight(path, "https://evil.example.com", method, "content-type"); got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("preflight for %s %s from a stranger: %v", method, path, got.header)
		}
	}
	if got := preflight("/signup", "https://shop.example.com", "POST", "authorization"); got.header.Get("Access-Control-Allow-Origin") == "" {
		t.Error("a preflight for posts from another site's page fails, though it carries no key to tell the site")
	}
	if got := preflight("/events", "https://shop.example.com", "GET", "last-event-id"); got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a page of one site may read the stream of another")
	}
}

// The number under which a request is logged must be ours: who could choose it could write the log.
func TestRequestIDIsNeverTheClients(t *testing.T) {
	f := newHarness(t, nil)
	seen := map[string]bool{}
	for range 3 {
		got := f.ask(t, "POST", "/signup", "user_name=A", "X-Request-Id: evil\tid", "X-API-Key: "+defaultKey)
		id := got.header.Get(requestHeader)
		if !regexp.MustCompile(`^[A-Z2-7]{16}$`).MatchString(id) || seen[id] {
			t.Errorf("request id %q", id)
		}
		seen[id] = true
		eventually(t, "the line of "+id, func() bool { return strings.Contains(f.log.String(), "request="+id) })
	}
	if strings.Contains(f.log.String(), "evil") {
		t.Errorf("the client's id is in the log:\n%s", f.log)
	}
}

// brokenLog panics with something secret.
type brokenLog struct{ stream.Log }

func (brokenLog) Append(context.Context, string, stream.Entry) (stream.ID, bool, error) {
	panic("the value with " + defaultKey)
}

func TestPanicIsAnsweredAndLoggedWithoutItsValue(t *testing.T) {
	f := newHarness(t, func(o *Options) { o.Log = brokenLog{o.Log} })
	got := f.ask(t, "POST", "/signup", "user_name=A", "X-API-Key: "+defaultKey)
	if got.status != 500 || got.body == "" || strings.Contains(got.body, "panic") || strings.Contains(got.body, defaultKey) {
		t.Errorf("got %d %q", got.status, got.body)
	}
	eventually(t, "both lines", func() bool {
		return strings.Contains(f.log.String(), "brokenLog") && strings.Contains(f.log.String(), "outcome=error")
	})
	if said := f.log.String(); strings.Contains(said, defaultKey) || strings.Contains(said, "the value with") {
		t.Errorf("the log repeats the panic's value:\n%s", said)
	}
	if got := f.ask(t, "GET", "/live", ""); got.status != 200 {
		t.Errorf("after a panic: /live %d", got.status)
	}
}

func TestAbortPassesThroughRecovery(t *testing.T) {
	f := newHarness(t, nil)
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler {
			t.Errorf("got %v, want http.ErrAbortHandler", cause)
		}
		if strings.Contains(f.log.String(), "panic") {
			t.Errorf("a cut stream is logged as a panic:\n%s", f.log)
		}
	}()
	h := f.recovered(func(echo.Context) error { panic(http.ErrAbortHandler) })
	h(echo.New().NewContext(httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()))
}

func TestOneLineTellsOfEachPostAndNothingPersonal(t *testing.T) {
	f := newHarness(t, nil)
	key := "X-API-Key: " + shopKey
	personal := "user_name=Ada+Lovelace&offer_name=Secret+Offer&place=Turin&url=/clicked&img_path=/face.png"
	f.ask(t, "POST", "/signup", personal, key, "Idempotency-Key: order-4711", "User-Agent: Agent47")
	f.ask(t, "POST", "/signup", personal+"&nonsense=1", key)
	f.ask(t, "POST", "/signup", personal+"&user_name=twice", key)
	f.ask(t, "POST", "/signup", personal, "X-API-Key: nobody-has-this-key")
	f.ask(t, "DELETE", "/signup/k-77777", "", key)
	lines := func() []string {
		var of []string
		for line := range strings.Lines(f.log.String()) {
			if strings.Contains(line, "msg=signup") {
				of = append(of, line)
			}
		}
		return of
	}
	eventually(t, "five lines", func() bool { return len(lines()) == 5 })
	for i, want := range []string{
		`site=shop outcome=stored id=[a-z0-9]+-1`, `site=shop outcome=invalid`, `site=_unknown outcome=malformed`,
		`site=_unknown outcome=unauthorized`, `site=shop outcome=not_found`,
	} {
		line := lines()[i]
		if !regexp.MustCompile(`level=INFO msg=signup ` + want + ` duration=\S+ request=[A-Z2-7]{16}\n$`).MatchString(line) {
			t.Errorf("line %d: got %q, want %s", i+1, line, want)
		}
	}
	for _, secret := range []string{"Ada", "Secret", "Turin", "clicked", "face", "4711", "Agent47", "127.0.0.1", "77777", shopKey, "nobody-has"} {
		if strings.Contains(f.log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, f.log)
		}
	}
}

func TestStreamsAreLoggedAtDebug(t *testing.T) {
	f := newHarness(t, nil)
	resp, leave := f.open(t, "/events?site=shop")
	leave()
	id := resp.Header.Get(requestHeader)
	ended := regexp.MustCompile(`level=DEBUG msg="stream ended" site=shop request=` + id + ` reason=gone duration=`)
	eventually(t, "the end in the log", func() bool { return ended.MatchString(f.log.String()) })
	if !regexp.MustCompile(`level=DEBUG msg="stream opened" site=shop request=` + id).MatchString(f.log.String()) {
		t.Errorf("the log lacks the beginning:\n%s", f.log)
	}
}

// What strangers send must not make lines of its own in the log, nor move a terminal's cursor.
func TestControlCharactersDoNotReachTheLog(t *testing.T) {
	f := newHarness(t, nil)
	odd := "https://a\x1b[2Jb\r\nlevel=ERROR msg=forged"
	r := httptest.NewRequest("GET", "/events", nil)
	r.Header["Origin"] = []string{odd}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if w.Code != 403 {
		t.Fatalf("got %d", w.Code)
	}
	said := f.log.String()
	if !strings.Contains(said, "was refused") {
		t.Errorf("the refusal is not told:\n%s", said)
	}
	if strings.Contains(said, "forged") || strings.ContainsAny(said, "\x1b\r") || slices.ContainsFunc(strings.Split(said, "\n"), func(l string) bool { return strings.HasPrefix(l, "level=ERROR") }) {
		t.Errorf("what was sent reaches the log: %q", said)
	}
}

// dial sends text on a connection of its own and returns what comes back until that is cut.
func (f *harness) dial(t *testing.T, text string) (conn net.Conn, back *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// cut waits until the other end has closed the connection.
func cut(t *testing.T, back *bufio.Reader) {
	t.Helper()
	for {
		if _, err := back.ReadByte(); err != nil {
			if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("the connection was not cut")
			}
			return
		}
	}
}

func TestSlowBodyIsCut(t *testing.T) {
	f := newHarness(t, func(o *Options) { o.Patience = 300 * time.Millisecond })
	for _, head := range []string{
		"POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nuser_",
		"POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
	} {
		_, back := f.dial(t, head)
		resp, err := http.ReadResponse(back, nil)
		if err != nil || resp.StatusCode != http.StatusRequestTimeout {
			t.Errorf("%q: got %v %v, want 408", head, resp, err)
		}
		cut(t, back)
	}
	for _, head := range []string{ // bodies that nobody reads
		"GET /live HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n1",
		"DELETE /signup/a-1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n1",
		"PUT /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n1",
	} {
		_, back := f.dial(t, head)
		cut(t, back)
	}
	f.eventuallyCounts(t, `proofstream_signups_total{outcome="slow",site="_unknown"} 2`)
}

// The defaults themselves: nobody holds a connection for half a minute without a whole request.
func TestTimeLimitsAreShortEnough(t *testing.T) {
	f := newHarness(t, nil)
	server := f.HTTP()
	if server.ReadHeaderTimeout <= 0 || server.ReadHeaderTimeout > 10*time.Second {
		t.Errorf("headers may take %v, want at most 10 s", server.ReadHeaderTimeout)
	}
	if f.o.Patience <= 0 || f.o.Patience > 30*time.Second {
		t.Errorf("a body may take %v, want at most 30 s", f.o.Patience)
	}
	if server.WriteTimeout != 0 || server.ReadTimeout != 0 {
		t.Error("a limit on whole answers would end streams")
	}
}

func TestSlowHeadersAreCut(t *testing.T) {
	f := newHarness(t, nil)
	server := f.HTTP()
	server.ReadHeaderTimeout = 300 * time.Millisecond // the default is looked at above
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	slow := &harness{url: "http://" + l.Addr().String()}
	_, back := slow.dial(t, "GET /events HTTP/1.1\r\nHost: x\r\nX-Slow")
	cut(t, back)
}

func TestLongHeadersAreRefused(t *testing.T) {
	f := newHarness(t, nil)
	if got := f.ask(t, "GET", "/live", "", "X-Long: "+strings.Repeat("x", 64<<10)); got.status != 431 {
		t.Errorf("64 KiB of header: got %d, want 431", got.status)
	}
	if got := f.ask(t, "GET", "/live", "", "X-Long: "+strings.Repeat("x", 16<<10)); got.status != 200 {
		t.Errorf("16 KiB of header: got %d, want 200", got.status)
	}
}

// A stream outlives the time that anything else may take, on both ways of writing.
func TestPatienceDoesNotEndStreams(t *testing.T) {
	for _, flush := range []bool{false, true} {
		f := newHarness(t, func(o *Options) { o.Patience, o.Flush = 200*time.Millisecond, flush })
		resp, _ := f.open(t, "/events")
		back := bufio.NewReader(resp.Body)
		for range 4 { // each post begins after another patience
			for begun := time.Now(); time.Since(begun) < 220*time.Millisecond; {
				f.ask(t, "GET", "/live", "")
			}
			f.ask(t, "POST", "/signup", "user_name=A", "X-API-Key: "+defaultKey)
			for line := ""; !strings.HasPrefix(line, "event: signup"); {
				var err error
				if line, err = back.ReadString('\n'); err != nil {
					t.Fatalf("flush %v: the stream ended: %v", flush, err)
				}
			}
		}
	}
}
