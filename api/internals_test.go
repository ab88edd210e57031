package api

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"proofstream/api/decode"
	"proofstream/stream"
)

// internals matches what would show a client how the service works inside.
var internals = regexp.MustCompile(`(?i)\bgo\b|golang|\.go:|strconv|net/http|runtime|0x[0-9a-f]|127\.0\.0\.1|\[::|/tmp|/work|sqlite|jetstream|nats|` +
	`\bnil\b|\*[A-Z]|canary|unmarshal|goroutine|stack|stream\.|api\.|sha-?256|errno|EOF`)

// failingLog stores nothing. Its error has details that no client may see.
type failingLog struct {
	stream.Log
	why error
}

func (l failingLog) Append(context.Context, string, stream.Entry) (stream.ID, bool, error) {
	return stream.ID{}, false, l.why
}

// oddPosts are bodies that no media type, or only one, can read.
var oddPosts = []string{
	``, `{`, `[]`, `null`, `{"user_name":1}`, `{"user_name":{"a":[1,2]}}`, `{"user_name":"` + "\xff" + `"}`, `{"a":"b"}`, `{}{}`,
	`{"user_name":"a","user_name":"b"}`, `{"img_path":"//x"}`, `{"url":"javascript:alert(1)"}`, `{"user_name":"\u0000"}`, `{"kind":"A"}`,
	`{"img_path":"https://` + strings.Repeat("x", 3000) + `"}`, strings.Repeat("[", 10_000), `{"api_key":"` + defaultKey + `",}`,
	`{"user_name":"\ud800"}`, `{"user_name":1e999}`, strings.Repeat("x", decode.MaxBody+1),
}

// checkShowsNothing checks that an error says something, and nothing of internals.
func checkShowsNothing(t *testing.T, what string, got response) {
	t.Helper()
	if got.status < 400 {
		return
	}
	if hit := internals.FindString(got.body); hit != "" {
		t.Errorf("%s: %d shows %q: %s", what, got.status, hit, got.body)
	}
	if got.body == "" {
		t.Errorf("%s: %d says nothing", what, got.status)
	}
}

// withFailingLog serves a log that returns an error to every post.
func withFailingLog(t *testing.T, err error) *harness {
	return serve(t, func(o *setup) { o.wrapLog = func(l stream.Log) stream.Log { return failingLog{l, err} } })
}

func TestErrorBodiesTellNothingOfInternals(t *testing.T) {
	working := serve(t)
	failing := withFailingLog(t, fmt.Errorf("%w: dial 127.0.0.1:4222: nats: no servers", stream.ErrUnavailable))
	broken := withFailingLog(t, &fs.PathError{Op: "write", Path: "/tmp/data/1.blk", Err: fs.ErrPermission})
	for _, h := range []*harness{working, failing, broken} {
		for _, key := range []string{defaultKey, "wrong"} {
			for _, body := range oddPosts {
				for _, media := range []string{decode.JSON, decode.Form, decode.Multipart + "; boundary=x", "text/csv", "a/b; c"} {
					checkShowsNothing(t, fmt.Sprintf("post of %.40q as %s", body, media),
						h.request(t, "POST", "/signup", body, "Content-Type: "+media, "X-API-Key: "+key))
				}
			}
		}
		for _, path := range []string{"/signup/%00", "/signup/x", "/signup/..%2f..%2fetc", "/signup/a-99999999999999999999999"} {
			checkShowsNothing(t, "delete of "+path, h.request(t, "DELETE", path, "", "X-API-Key: "+defaultKey))
		}
	}
	for _, path := range []string{
		"/events?site=%ff", "/events?site=nobody", "/events?recent=1e9", "/recent?limit=%27", "/stats?site=x", "/%00", "/assets/..%2fdemo.html",
		"/.env", "/debug/pprof/",
	} {
		checkShowsNothing(t, "GET "+path, working.request(t, "GET", path, "", "Origin: https://evil.example"))
		checkShowsNothing(t, "GET "+path, working.request(t, "GET", path, ""))
	}
	for h, want := range map[*harness]int{failing: 503, broken: 500} {
		got := h.request(t, "POST", "/signup", "user_name=A", "X-API-Key: "+defaultKey)
		if got.status != want {
			t.Errorf("got %d, want %d", got.status, want)
		}
		if h == failing && got.header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
	}
}
