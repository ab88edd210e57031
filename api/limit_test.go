package api

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"proofstream/api/auth"
	"proofstream/api/decode"
)

func TestWrongKeysAreLimitedPerAddress(t *testing.T) {
	h := serve(t)
	try := func(headers ...string) response { return h.request(t, "POST", "/signup", "user_name=A", headers...) }
	for range 3 * auth.FailuresPerMinute { // a missing key is not counted
		if got := try(); got.status != 401 {
			t.Fatalf("without a key: got %d, want 401", got.status)
		}
	}
	for i := range auth.FailuresPerMinute {
		if got := try("X-API-Key: wrong"); got.status != 401 {
			t.Fatalf("wrong key %d: got %d, want 401", i+1, got.status)
		}
	}
	got := try("X-API-Key: wrong")
	for spare := 10; got.status == 401 && spare > 0; spare-- { // a slow machine has been forgiven some
		got = try("X-API-Key: wrong")
	}
	if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); got.status != 429 || err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("wrong key %d: got %d, Retry-After %q", auth.FailuresPerMinute+1, got.status, got.header.Get("Retry-After"))
	}
	if got := h.request(t, "DELETE", "/signup/a-1", "", "X-API-Key: wrong"); got.status != 429 {
		t.Errorf("a wrong key for a retraction: got %d, want 429", got.status)
	}
	if got := try("X-API-Key: " + defaultKey); got.status != 200 {
		t.Errorf("the right key from the same address: got %d, want 200", got.status)
	}
	if got := try(); got.status != 401 {
		t.Errorf("a missing key from the same address: got %d, want 401", got.status)
	}
}

// A body that cannot be read is refused first, then the key, then the rate limit, then the rules.
func TestRefusalsComeInOrder(t *testing.T) {
	h := serve(t, func(o *setup) { o.RateLimit = 1 })
	for _, tt := range []struct {
		name       string
		body       string
		headers    []string
		want       int
		retryAfter string
	}{
		{"unreadable without a key", "{", []string{"Content-Type: application/json"}, 400, ""},
		{"too large without a key", strings.Repeat("x", decode.MaxBody+1), nil, 413, ""},
		{"another media type without a key", "x", []string{"Content-Type: text/csv"}, 415, ""},
		{"a broken rule without a key", "nonsense=1", nil, 401, ""},
		{"a broken rule with a key", "nonsense=1", []string{"X-API-Key: " + defaultKey}, 422, ""},
		{"a signup", "user_name=A", []string{"X-API-Key: " + defaultKey}, 200, ""},
		{"a broken rule beyond the limit", "nonsense=1", []string{"X-API-Key: " + defaultKey}, 429, "1"},
		{"a signup with another key of the site", "user_name=A", []string{"X-API-Key: " + secondKey}, 200, ""},
	} {
		got := h.request(t, "POST", "/signup", tt.body, tt.headers...)
		if got.status != tt.want || got.header.Get("Retry-After") != tt.retryAfter {
			t.Errorf("%s: got %d %q, Retry-After %q, want %d", tt.name, got.status, got.body, got.header.Get("Retry-After"), tt.want)
		}
	}
}

func TestSpoofedForwardingDoesNotEscapeTheLimit(t *testing.T) {
	for _, tt := range []struct {
		name    string
		trusted []netip.Prefix
		want    int // status of a wrong key after the limit, under yet another address
	}{
		{"no proxy is trusted", nil, 429},
		{"the peer is a trusted proxy", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, 401},
	} {
		h := serve(t, func(o *setup) { o.TrustedProxies = tt.trusted })
		got := 0
		for i := range auth.FailuresPerMinute + 1 {
			got = h.request(t, "POST", "/signup", "user_name=A", "X-API-Key: wrong", fmt.Sprintf("X-Forwarded-For: 198.51.100.%d", i)).status
		}
		if got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestOneAddressHoldsOnlyItsShareOfStreams(t *testing.T) {
	for _, flush := range []bool{false, true} {
		h := serve(t, func(o *setup) { o.MaxSubscribersPerAddress, o.Flush = 2, flush })
		first := h.open(t, "/events")
		h.open(t, "/events")
		got := h.request(t, "GET", "/events", "")
		if got.status != 200 || !strings.HasPrefix(got.body, "event: busy\nretry: ") || strings.Contains(got.body, "id:") {
			t.Errorf("flush %v: the third stream: got %d %q, want busy", flush, got.status, got.body)
		}
		h.awaitMetric(t, `proofstream_streams_ended_total{reason="full"} 1`)
		first.cut()
		h.awaitMetric(t, `proofstream_streams_ended_total{reason="gone"} 1`)
		h.open(t, "/events")
		h.awaitMetric(t, `proofstream_subscribers{site="default"} 2`)
	}
}
