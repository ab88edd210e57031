package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"proofstream/api/decode"
	"proofstream/stream"
	"proofstream/stream/signup"
)

func TestWriteProblem(t *testing.T) {
	unprocessable := &Problem{Status: 422, Field: "place", Detail: "place must be shorter"}
	tests := []struct {
		name        string
		contentType string
		accept      []string
		problem     *Problem
		wantType    string
		wantBody    string
	}{
		{"a JSON post gets a problem", "application/json; charset=utf-8", nil, unprocessable,
			"application/problem+json", `{"status":422,"title":"Unprocessable Entity","detail":"place must be shorter","field":"place"}` + "\n"},
		{"a JSON post with a broken parameter too", "application/json; charset", nil, unprocessable,
			"application/problem+json", `{"status":422,"title":"Unprocessable Entity","detail":"place must be shorter","field":"place"}` + "\n"},
		{"a form post gets a line of text", decode.Form, []string{"*/*"}, unprocessable,
			"text/plain; charset=utf-8", "place must be shorter"},
		{"a browser's form gets a line of text", decode.Multipart + "; boundary=b", []string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, unprocessable,
			"text/plain; charset=utf-8", "place must be shorter"},
		{"a form post that accepts JSON gets a problem", decode.Form, []string{"text/plain;q=0.5, Application/JSON"}, badKey(),
			"application/problem+json", `{"status":401,"title":"Unauthorized","detail":"Bad or missing API key"}` + "\n"},
		{"problem+json is JSON too", "", []string{"text/html", "application/problem+json;q=0.1"}, badKey(),
			"application/problem+json", `{"status":401,"title":"Unauthorized","detail":"Bad or missing API key"}` + "\n"},
		{"JSON with a weight of nothing is not accepted", "", []string{"application/json;q=0"}, badKey(),
			"text/plain; charset=utf-8", "Bad or missing API key"},
		{"an EventSource gets a line of text", "", []string{"text/event-stream"}, &Problem{Status: 404, Detail: "no"},
			"text/plain; charset=utf-8", "no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/signup", nil)
			r.Header.Set("Content-Type", tt.contentType)
			r.Header["Accept"] = tt.accept
			w := httptest.NewRecorder()
			writeProblem(w, r, tt.problem)
			if w.Code != tt.problem.Status {
				t.Errorf("got status %d; want %d", w.Code, tt.problem.Status)
			}
			if got := w.Header().Get("Content-Type"); got != tt.wantType {
				t.Errorf("got Content-Type %q; want %q", got, tt.wantType)
			}
			if got := w.Body.String(); got != tt.wantBody {
				t.Errorf("got  %s\nwant %s", got, tt.wantBody)
			}
		})
	}
}

func TestWriteProblemSetsHeaders(t *testing.T) {
	w := httptest.NewRecorder()
	p := badKey()
	p.RetryAfter = 1200 * time.Millisecond
	writeProblem(w, httptest.NewRequest(http.MethodPost, "/signup", nil), p)
	for name, want := range map[string]string{
		"WWW-Authenticate":       "Bearer",
		"Retry-After":            "2",
		"Cache-Control":          "no-store",
		"X-Content-Type-Options": "nosniff",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: got %q; want %q", name, got, want)
		}
	}
}

func TestWriteProblemHasNoBodyForHead(t *testing.T) {
	w := httptest.NewRecorder()
	writeProblem(w, httptest.NewRequest(http.MethodHead, "/events", nil), &Problem{Status: 404, Detail: "no"})
	if w.Code != 404 || w.Body.Len() != 0 {
		t.Errorf("got %d with %q; want 404 without a body", w.Code, w.Body)
	}
}

func TestProblemOf(t *testing.T) {
	secret := errors.New("open /var/lib/proofstream: sqlite: 10.0.0.7 *sqlitelog.Log")
	tests := []struct {
		name       string
		err        error
		status     int
		field      string
		retryAfter time.Duration
	}{
		{"a problem is itself", fmt.Errorf("decode: %w", &Problem{Status: 415}), 415, "", 0},
		{"a broken rule is 422", &signup.RuleError{Field: "url", Rule: "must not"}, 422, "url", 0},
		{"no such event is 404", fmt.Errorf("%w: %w", secret, stream.ErrNotFound), 404, "", 0},
		{"no such id is 404", stream.ErrMalformedID, 404, "", 0},
		{"an unavailable log is 503", fmt.Errorf("%w: %w", stream.ErrUnavailable, secret), 503, "", time.Second},
		{"a log that takes too long is 503", fmt.Errorf("append: %w", context.DeadlineExceeded), 503, "", time.Second},
		{"anything else is 500", secret, 500, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := problemOf(tt.err)
			if got.Status != tt.status || got.Field != tt.field || got.RetryAfter != tt.retryAfter {
				t.Errorf("got %+v; want %d, field %q, retry after %s", got, tt.status, tt.field, tt.retryAfter)
			}
			for _, internal := range []string{"/var", "sqlite", "10.0", "sqlitelog"} {
				if strings.Contains(got.Detail, internal) {
					t.Errorf("detail %q shows %q", got.Detail, internal)
				}
			}
		})
	}
}
