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
