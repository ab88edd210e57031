package api

import (
	"encoding/json"
	"strings"
	"testing"
)

// Nothing that is refused is stored, and each refusal has one shape for forms and one for JSON.
func TestRefusedPosts(t *testing.T) {
	h := serve(t)
	long := strings.Repeat("x", 20_000)
	tests := []struct {
		name, path, body string
		headers          []string
		status           int
		field            string
	}{
		{"no key", "", `{}`, []string{jsonType}, 401, ""},
		{"a wrong key", "", `{}`, []string{jsonType, "X-API-Key: canary-key-of-defaulu"}, 401, ""},
		{"a prefix of the key", "", `{}`, []string{jsonType, "X-API-Key: canary-key-of-defaul"}, 401, ""},
		{"a longer key", "", `{}`, []string{jsonType, asOwner + "0"}, 401, ""},
		{"a key in the URL", "?api_key=" + defaultKey, "user_name=Ada", []string{formType}, 401, ""},
		{"a wrong bearer key beside a right field", "", `{"api_key":"` + defaultKey + `"}`, []string{jsonType, "Authorization: Bearer nobodys-key-at-all"}, 401, ""},
		{"no JSON at all", "", ``, []string{jsonType, asOwner}, 400, ""},
		{"half JSON", "", `{"user_name":`, []string{jsonType, asOwner}, 400, ""},
		{"another JSON value", "", `[]`, []string{jsonType, asOwner}, 400, ""},
		{"trailing bytes", "", `{} {}`, []string{jsonType, asOwner}, 400, ""},
		{"a repeated member", "", `{"user_name":"a","user_name":"b"}`, []string{jsonType, asOwner}, 400, "user_name"},
		{"a repeated form field", "", "user_name=a&user_name=b", []string{formType, asOwner}, 400, "user_name"},
		{"a number for a name", "", `{"user_name":1}`, []string{jsonType, asOwner}, 400, "user_name"},
		{"invalid UTF-8", "", "{\"user_name\":\"\xff\"}", []string{jsonType, asOwner}, 400, ""},
		{"invalid UTF-8 in a form", "", "user_name=%ff", []string{formType, asOwner}, 400, "user_name"},
		{"an unknown field", "", `{"username":"Ada"}`, []string{jsonType, asOwner}, 422, "username"},
		{"a long name", "", `{"user_name":"` + strings.Repeat("é", 121) + `"}`, []string{jsonType, asOwner}, 422, "user_name"},
		{"a control character", "", `{"user_name":"a\u0007"}`, []string{jsonType, asOwner}, 422, "user_name"},
		{"a script for a picture", "", `{"img_path":"javascript:alert(1)"}`, []string{jsonType, asOwner}, 422, "img_path"},
		{"another host's path", "", `{"url":"//evil.example"}`, []string{jsonType, asOwner}, 422, "url"},
		{"a capital in the kind", "", `{"kind":"Order"}`, []string{jsonType, asOwner}, 422, "kind"},
		{"a kind of 33 characters", "", "kind=" + strings.Repeat("k", 33), []string{formType, asOwner}, 422, "kind"},
		{"a number for a kind", "", `{"kind":1}`, []string{jsonType, asOwner}, 400, "kind"},
		{"the list of blank fields, which the service makes", "", `{"blank":["user_name"]}`, []string{jsonType, asOwner}, 422, "blank"},
		{"a bad Idempotency-Key", "", `{}`, []string{jsonType, asOwner, "Idempotency-Key: " + strings.Repeat("k", 129)}, 422, "Idempotency-Key"},
		{"a long body", "", `{"user_name":"` + long + `"}`, []string{jsonType, asOwner}, 413, ""},
		{"a long form", "", "user_name=" + long, []string{formType, asOwner}, 413, ""},
		{"a long body without a key", "", "user_name=" + long, []string{formType}, 413, ""},
		{"another media type", "", `{}`, []string{"Content-Type: text/plain", asOwner}, 415, ""},
		{"no media type", "", `{}`, []string{"Content-Type: ", asOwner}, 415, ""},
	}
	unauthorized := map[string]bool{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkRefusal(t, h.request(t, "POST", "/signup"+test.path, test.body, test.headers...), test.status, test.field, test.headers[0])
			resp := h.request(t, "POST", "/signup"+test.path, test.body, append(test.headers, "Accept: application/json")...)
			checkRefusal(t, resp, test.status, test.field, jsonType)
			if resp.status == 401 {
				unauthorized[resp.body] = true
			}
		})
	}
	if len(unauthorized) != 1 {
		t.Errorf("got different responses to wrong keys: %v", unauthorized)
	}
	if resp := h.request(t, "GET", "/stats", ""); resp.body != `{"subscribers":0,"events":0}` {
		t.Errorf("got %s after refusals only", resp.body)
	}
}

// checkRefusal checks the status and the shape of a response, and that it shows nothing of internals.
func checkRefusal(t *testing.T, resp response, status int, field, contentType string) {
	t.Helper()
	if resp.status != status {
		t.Errorf("got %d %s, want %d", resp.status, resp.body, status)
	}
	if status == 401 && (resp.header.Get("WWW-Authenticate") != "Bearer" || !strings.Contains(resp.body, "Bad or missing API key")) {
		t.Errorf("got %v %s", resp.header, resp.body)
	}
	for _, inside := range []string{".go", "stream.", "api.", "0x", "json:", "127.0.0.1", defaultKey} {
		if strings.Contains(resp.body, inside) {
			t.Errorf("the response shows %q: %s", inside, resp.body)
		}
	}
	if contentType != jsonType {
		if !strings.HasPrefix(resp.header.Get("Content-Type"), "text/plain") || strings.Contains(strings.TrimSuffix(resp.body, "\n"), "\n") {
			t.Errorf("got %s %q, want one line of text", resp.header.Get("Content-Type"), resp.body)
		}
		return
	}
	var p struct {
		Status               int
		Title, Detail, Field string
	}
	if err := json.Unmarshal([]byte(resp.body), &p); err != nil || resp.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("got %s %s", resp.header.Get("Content-Type"), resp.body)
	}
	if p.Status != status || p.Title == "" || p.Detail == "" || p.Field != field {
		t.Errorf("got %s, want status %d and field %q", resp.body, status, field)
	}
}
