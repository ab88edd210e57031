package api

import (
	"strings"
	"sync"
	"testing"

	"proofstream/api/decode"
)

// All responses to missing and wrong keys are the same, however much of a wrong one is right.
func TestEveryBadKeyGetsTheSameResponse(t *testing.T) {
	h := serve(t)
	var first response
	for i, headers := range [][]string{
		nil,
		{"X-API-Key: x"},
		{"X-API-Key: " + defaultKey[:len(defaultKey)-1]},
		{"X-API-Key: " + defaultKey + "x"},
		{"X-API-Key: " + strings.ToUpper(defaultKey)},
		{"Authorization: Bearer wrong"},
		{"Authorization: Bearer"},
		{"Authorization: Basic " + defaultKey},
		{"Authorization: " + defaultKey},
		{"Authorization: Bearer wrong", "X-API-Key: " + defaultKey}, // the first wins
		{"X-API-Key: " + strings.Repeat("long", 4000)},
		{"Cookie: api_key=" + defaultKey},
	} {
		got := h.request(t, "POST", "/signup", "user_name=A", headers...)
		if got.status != 401 || got.body != "Bad or missing API key" || got.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%q: got %d %q", headers, got.status, got.body)
		}
		got.header.Del("Date")
		got.header.Del(requestHeader)
		if i == 0 {
			first = got
		} else if len(got.header) != len(first.header) {
			t.Errorf("%q: headers %v differ from %v", headers, got.header, first.header)
		}
	}
}

func TestKeysAreNeverTakenFromTheURL(t *testing.T) {
	h := serve(t)
	for _, query := range []string{"api_key", "X-API-Key", "x_api_key", "access_token", "key", "Authorization"} {
		for _, media := range []string{decode.Form, decode.JSON} {
			body := map[string]string{decode.Form: "user_name=A", decode.JSON: "{}"}[media]
			got := h.request(t, "POST", "/signup?"+query+"="+defaultKey, body, "Content-Type: "+media)
			if got.status != 401 {
				t.Errorf("key in ?%s of a %s post: got %d, want 401", query, media, got.status)
			}
		}
		if got := h.request(t, "DELETE", "/signup/a-1?"+query+"="+defaultKey, ""); got.status != 401 {
			t.Errorf("key in ?%s of a retraction: got %d, want 401", query, got.status)
		}
	}
}

func TestKeysAreTakenFromTheirThreePlaces(t *testing.T) {
	h := serve(t)
	for _, tt := range []struct{ body, header string }{
		{"user_name=A", "Authorization: Bearer " + defaultKey},
		{"user_name=A", "Authorization: bearer  " + defaultKey},
		{"user_name=A", "X-API-Key: " + defaultKey},
		{"user_name=A&api_key=" + defaultKey, "Accept: */*"},
		{"user_name=A&api_key=wrong", "Authorization: Bearer " + defaultKey},
		{"user_name=A&api_key=wrong", "X-API-Key: " + defaultKey},
	} {
		if got := h.request(t, "POST", "/signup", tt.body, tt.header); got.status != 200 {
			t.Errorf("%q %q: got %d %q", tt.body, tt.header, got.status, got.body)
		}
	}
}

// A key is handed over while posts go on: each is accepted with either key.
func TestTwoKeysAreValidAtOnce(t *testing.T) {
	h := serve(t)
	var posting sync.WaitGroup
	for _, key := range []string{defaultKey, secondKey} {
		posting.Go(func() {
			for range 30 {
				if got := h.request(t, "POST", "/signup", "user_name=A", "X-API-Key: "+key); got.status != 200 {
					t.Errorf("got %d", got.status)
				}
			}
		})
	}
	posting.Wait()
	h.awaitMetric(t, `proofstream_signups_total{outcome="stored",site="default"} 60`)
}
