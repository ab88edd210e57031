package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"proofstream/stream/ssetest"
)

// A base URL that ends in a slash, or a path that does, loses no signup.
func TestSlashesTooManyAreTheSameAddress(t *testing.T) {
	h := serve(t)
	for _, path := range []string{"/signup", "/signup/", "//signup", "///signup//", "/signup/?x=1"} {
		if got := h.request(t, "POST", path, "user_name=A", asOwner); got.status != 200 || got.body != "thanks" {
			t.Errorf("post to %s: got %d %s", path, got.status, got.body)
		}
	}
	for _, path := range []string{"/signup/ID", "//signup/ID", "/signup/ID/", "//signup?idempotency_key=k", "/signup/?idempotency_key=k"} {
		id := ssetest.Field(h.request(t, "POST", "/signup", "{}", jsonType, asOwner, "Idempotency-Key: k").body, "id")
		if got := h.request(t, "DELETE", strings.Replace(path, "ID", id, 1), "", asOwner); got.status != 204 {
			t.Errorf("delete %s: got %d %s", path, got.status, got.body)
		}
	}
	for _, path := range []string{"/signups", "/x/signup", "//recent", "/%2fsignup"} {
		if got := h.request(t, "POST", path, "user_name=A", asOwner); got.status != 404 {
			t.Errorf("post to %s: got %d %s, want 404", path, got.status, got.body)
		}
	}
}

func TestPathIsChangedForRoomsOnlyAndTheRequestIsNot(t *testing.T) {
	tests := []struct{ posted, path, raw string }{
		{"/signup", "/signup", ""},
		{"//signup//", "/signup", ""},
		{"/hooks/shop/", "/hooks/shop", ""},
		{"/signup/a%2Fb/", "/signup/a/b", "/signup/a%2Fb"},
		{"/events/", "/events/", ""},
		{"/", "/", ""},
		{"//", "//", ""},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("POST", "http://proof.example"+tt.posted, nil)
		sent := *r.URL
		if got := withOnePath(r).URL; got.Path != tt.path || got.RawPath != tt.raw {
			t.Errorf("%s: got %q, %q, want %q, %q", tt.posted, got.Path, got.RawPath, tt.path, tt.raw)
		}
		if *r.URL != sent {
			t.Errorf("%s: the request was changed to %v", tt.posted, r.URL)
		}
	}
}

func TestOtherMethodsOfSignupSayThatARedirectMayBeTheReason(t *testing.T) {
	h := serve(t)
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "PROPFIND"} {
		got := h.request(t, method, "/signup/", "")
		allow := got.header.Get("Allow")
		if got.status != http.StatusMethodNotAllowed || !strings.Contains(allow, "POST") || !strings.Contains(allow, "DELETE") || strings.Contains(allow, method) {
			t.Errorf("%s: got %d, Allow %q", method, got.status, allow)
		}
		if method != "HEAD" && !strings.Contains(got.body, "redirect") {
			t.Errorf("%s: got %q", method, got.body)
		}
	}
	h.awaitMetric(t, `proofstream_signups_total{outcome="method",site="_unknown"} 5`)
}
