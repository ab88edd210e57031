package api

import (
	"strings"
	"testing"

	"proofstream/stream/ssetest"
)

func TestIdempotencyKeyMakesARetryHarmless(t *testing.T) {
	h := serve(t)
	post := func(body, apiKey, idempotency string) string {
		t.Helper()
		resp := h.request(t, "POST", "/signup", body, jsonType, "X-API-Key: "+apiKey, "Idempotency-Key: "+idempotency)
		if resp.status != 200 {
			t.Fatalf("got %d %s", resp.status, resp.body)
		}
		return resp.body
	}
	first := post(`{"user_name":"Ada"}`, defaultKey, "order 17")
	again := strings.Replace(first, "false", "true", 1)
	if got := post(`{"user_name":"Bob"}`, defaultKey, "order 17"); got != again {
		t.Errorf("got %s, want %s", got, again)
	}
	if got := post(`{"user_name":"Ada"}`, shopKey, "order 17"); !strings.Contains(got, `"duplicate":false`) {
		t.Errorf("another site's key: got %s", got)
	}
	if resp := h.request(t, "DELETE", "/signup/"+ssetest.Field(first, "id"), "", asOwner); resp.status != 204 {
		t.Fatalf("erase: got %d %s", resp.status, resp.body)
	}
	if got := post(`{"user_name":"Ada"}`, defaultKey, "order 17"); got != again {
		t.Errorf("after it was erased: got %s, want %s", got, again)
	}
	if resp := h.request(t, "GET", "/recent", ""); strings.Contains(resp.body, "Ada") || strings.Contains(resp.body, "Bob") {
		t.Errorf("got %s", resp.body)
	}
}

func TestEraseByIdempotencyKey(t *testing.T) {
	h := serve(t)
	c := h.open(t, "/events")
	c.next(t, 1)
	posted := h.request(t, "POST", "/signup", `{"user_name":"Ada"}`, jsonType, asOwner, "Idempotency-Key: order 10+42%")
	id := ssetest.Field(posted.body, "id")
	h.request(t, "POST", "/signup", `{"user_name":"Ada"}`, jsonType, "X-API-Key: "+shopKey, "Idempotency-Key: of-the-shop")
	const path = "/signup?idempotency_key=order%2010%2B42%25"
	tests := []struct {
		name, path, body string
		headers          []string
		want             int
	}{
		{"without a key", path, "", nil, 401},
		{"with a wrong key", path, "", []string{"X-API-Key: nobodys-key-at-all"}, 401},
		{"with the key in the query", path + "&api_key=" + defaultKey, "", nil, 401},
		{"with the key in the body", path, "api_key=" + defaultKey, nil, 401},
		{"with another site's key", path, "", []string{"X-API-Key: " + shopKey}, 404},
		{"of another site's post", "/signup?idempotency_key=of-the-shop", "", []string{asOwner}, 404},
		{"that was never given", "/signup?idempotency_key=order", "", []string{asOwner}, 404},
		{"that no post can have", "/signup?idempotency_key=%C3%A9", "", []string{asOwner}, 404},
		{"that is too long", "/signup?idempotency_key=" + strings.Repeat("k", 129), "", []string{asOwner}, 404},
		{"that is the id", "/signup?idempotency_key=" + id, "", []string{asOwner}, 404},
		{"that is empty", "/signup?idempotency_key=", "", []string{asOwner}, 400},
		{"that is absent", "/signup", "", []string{asOwner}, 400},
		{"that is given twice", path + "&idempotency_key=x", "", []string{asOwner}, 400},
		{"that is in the header of a post", "/signup", "", []string{asOwner, "Idempotency-Key: order 10+42%"}, 400},
		{"of a stored signup", path, "", []string{asOwner}, 204},
		{"of an erased signup", path, "", []string{"Authorization: Bearer " + secondKey}, 204},
	}
	for _, tt := range tests {
		got := h.request(t, "DELETE", tt.path, tt.body, tt.headers...)
		if got.status != tt.want || tt.want == 400 && !strings.Contains(got.body, "/signup?idempotency_key=") {
			t.Errorf("a key %s: got %d %s, want %d", tt.name, got.status, got.body, tt.want)
		}
	}
	if got := c.next(t, 2); got[0].ID != id || got[1].Kind != "retract" || got[1].Data != `{"id":"`+id+`"}` {
		t.Errorf("got %+v, want the event and its retraction", got)
	}
	h.awaitMetric(t, `proofstream_signups_total{outcome="retracted",site="default"} 2`)
}

func TestErase(t *testing.T) {
	h := serve(t)
	id := h.post(t, `{"user_name":"Ada"}`)
	epoch, _, _ := strings.Cut(id, "-")
	erase := func(id, apiKey string) int {
		return h.request(t, "DELETE", "/signup/"+id, "", "X-API-Key: "+apiKey).status
	}
	tests := []struct {
		name, id, key string
		want          int
	}{
		{"with a wrong key", id, "nobodys-key-at-all", 401},
		{"with another site's key", id, shopKey, 404},
		{"an id that was never given", epoch + "-999", defaultKey, 404},
		{"sequence zero", epoch + "-0", defaultKey, 404},
		{"a text that is no id", "x", defaultKey, 404},
		{"an id of another log", "zz-1", defaultKey, 404},
		{"of a stored signup", id, defaultKey, 204},
		{"of an erased signup", id, defaultKey, 204},
		{"of a retraction", epoch + "-2", defaultKey, 404},
	}
	for _, test := range tests {
		if got := erase(test.id, test.key); got != test.want {
			t.Errorf("%s: got %d, want %d", test.name, got, test.want)
		}
	}
	got := h.open(t, "/events?recent=5&last_event_id="+epoch+"-0").next(t, 2)
	if got[1].Kind != "retract" || got[1].Data != `{"id":"`+id+`"}` {
		t.Errorf("got %+v, want only the retraction", got[1:])
	}
}
