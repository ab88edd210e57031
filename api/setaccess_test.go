package api

import (
	"strings"
	"testing"
)

// Keys and origins change under open streams: no stream ends except that of an origin that is no longer allowed, and no post with a key
// that is valid before and after gets a 401.
func TestAccessChangesUnderOpenStreams(t *testing.T) {
	h := serve(t)
	stays := h.open(t, "/events", "Origin: https://pages.example.com")
	own := h.open(t, "/events", "Origin: "+h.url)
	backend := h.open(t, "/events")
	goes := h.open(t, "/events", "Origin: http://localhost:8080")
	over2 := h.openBy(t, ways[5], "/events", "Origin: http://localhost:8080")
	for _, c := range []*client{stays, own, backend, goes, over2} {
		c.next(t, 1)
	}
	const newKey = "canary-key-that-is-new"
	status := func(key string) int {
		return h.request(t, "POST", "/signup", "user_name=Ada", "X-API-Key: "+key).status
	}
	if got := status(newKey); got != 401 {
		t.Fatalf("the new key, before: got %d, want 401", got)
	}
	h.SetAccess([]Site{
		{Name: "default", Keys: []string{secondKey, newKey}, Origins: origins(t, "https://pages.example.com", "https://new.example.com")},
		{Name: "shop", Keys: []string{shopKey}, Origins: origins(t, "https://shop.example.com")},
	})
	for key, want := range map[string]int{secondKey: 200, newKey: 200, shopKey: 200, defaultKey: 401} {
		if got := status(key); got != want {
			t.Errorf("%s: got %d, want %d", key, got, want)
		}
	}
	for from, want := range map[string]int{"https://pages.example.com": 200, "https://new.example.com": 200, "http://localhost:8080": 403} {
		if got := h.request(t, "GET", "/recent", "", "Origin: "+from).status; got != want {
			t.Errorf("pages of %s: got %d, want %d", from, got, want)
		}
	}
	for name, c := range map[string]*client{"an allowed origin": stays, "the service's own": own, "no page": backend} {
		if e := c.next(t, 1)[0]; e.Kind != "signup" || !strings.Contains(e.Data, "Ada") {
			t.Errorf("%s: got %+v, want the signup", name, e)
		}
	}
	for name, c := range map[string]*client{"HTTP/1": goes, "HTTP/2": over2} {
		if e, err := c.Next(); err == nil {
			t.Errorf("%s: got %+v on a stream whose origin is no longer allowed", name, e)
		}
	}
	h.awaitMetric(t, `proofstream_streams_ended_total{reason="refused"} 2`)
	h.awaitMetric(t, `proofstream_subscribers{site="default"} 3`)
}
