package api

import (
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"proofstream/stream/waitfor"
)

// The number under which a request is logged must be ours: who could choose it could write the log.
func TestRequestIDIsNeverTheClients(t *testing.T) {
	h := serve(t)
	seen := map[string]bool{}
	for range 3 {
		got := h.request(t, "POST", "/signup", "user_name=A", "X-Request-Id: evil\tid", "X-API-Key: "+defaultKey)
		id := got.header.Get(requestHeader)
		if !regexp.MustCompile(`^[A-Z2-7]{16}$`).MatchString(id) || seen[id] {
			t.Errorf("request id %q", id)
		}
		seen[id] = true
		h.awaitOutput(t, "request="+id)
	}
	if strings.Contains(h.output.String(), "evil") {
		t.Errorf("the client's id is in the log:\n%s", h.output)
	}
}

func TestOneLineTellsOfEachPostAndNothingPersonal(t *testing.T) {
	h := serve(t)
	key := "X-API-Key: " + shopKey
	personal := "user_name=Ada+Lovelace&offer_name=Secret+Offer&place=Turin&url=/clicked&img_path=/face.png"
	h.request(t, "POST", "/signup", personal, key, "Idempotency-Key: order-4711", "User-Agent: Agent47")
	h.request(t, "POST", "/signup", personal+"&nonsense=1", key)
	h.request(t, "POST", "/signup", personal+"&user_name=twice", key)
	h.request(t, "POST", "/signup", personal, "X-API-Key: nobody-has-this-key")
	h.request(t, "DELETE", "/signup/k-77777", "", key)
	lines := func() []string {
		var of []string
		for line := range strings.Lines(h.output.String()) {
			if strings.Contains(line, "msg=signup") {
				of = append(of, line)
			}
		}
		return of
	}
	waitfor.Fact(t, "five lines", func() bool { return len(lines()) == 5 })
	for i, want := range []string{
		`site=shop outcome=stored id=[a-z0-9]+-1`, `site=shop outcome=invalid field=_unknown rule="is not a field [^"]+"`,
		`site=_unknown outcome=malformed field=user_name rule="is given more than once[^"]+"`,
		`site=_unknown outcome=unauthorized`, `site=shop outcome=not_found`,
	} {
		line := lines()[i]
		if !regexp.MustCompile(`level=INFO msg=signup ` + want + ` duration=\S+ request=[A-Z2-7]{16}\n$`).MatchString(line) {
			t.Errorf("line %d: got %q, want %s", i+1, line, want)
		}
	}
	for _, secret := range []string{"Ada", "Secret", "Turin", "clicked", "face", "4711", "Agent47", "127.0.0.1", "77777", shopKey, "nobody-has"} {
		if strings.Contains(h.output.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, h.output)
		}
	}
}

func TestStreamsAreLoggedAtDebug(t *testing.T) {
	h := serve(t)
	c := h.open(t, "/events?site=shop")
	c.cut()
	id := c.Header.Get(requestHeader)
	h.awaitOutput(t, `level=DEBUG msg="stream opened" site=shop request=`+id)
	h.awaitOutput(t, `level=DEBUG msg="stream ended" site=shop request=`+id+` reason=gone duration=`)
}

// What a client sends must not make lines of its own in the log, nor move a terminal's cursor.
func TestControlCharactersDoNotReachTheLog(t *testing.T) {
	h := serve(t)
	odd := "https://a\x1b[2Jb\r\nlevel=ERROR msg=forged"
	r := httptest.NewRequest("GET", "/events", nil)
	r.Header["Origin"] = []string{odd}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 403 {
		t.Fatalf("got %d", w.Code)
	}
	output := h.output.String()
	if !strings.Contains(output, "was refused") {
		t.Errorf("the refusal is not logged:\n%s", output)
	}
	if strings.Contains(output, "forged") || strings.ContainsAny(output, "\x1b\r") || slices.ContainsFunc(strings.Split(output, "\n"), func(l string) bool { return strings.HasPrefix(l, "level=ERROR") }) {
		t.Errorf("what was sent reaches the log: %q", output)
	}
}
