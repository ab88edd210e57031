package api

import (
	"strings"
	"testing"
)

// parts returns a multipart body, with the boundary b, of name, value, name, value …
func parts(fields ...string) string {
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		b.WriteString("--b\r\nContent-Disposition: form-data; name=\"" + fields[i] + "\"\r\n\r\n" + fields[i+1] + "\r\n")
	}
	return b.String() + "--b--\r\n"
}

// Every way to write the same signup gives the same event.
func TestStoredPosts(t *testing.T) {
	h := serve(t)
	c := h.open(t, "/events")
	c.next(t, 1)
	ada := `{"img_path":"default","offer_name":"Spring Sale","user_name":"Ada",`
	tests := []struct {
		name, body string
		headers    []string
		response   string // "{" stands for the JSON one
		event      string // the beginning of its data
	}{
		{"a form with unencoded spaces", "api_key=" + defaultKey + "&img_path=&offer_name=Spring Sale&user_name=Ada", []string{formType}, "thanks", ada},
		{"a form", "api_key=" + defaultKey + "&offer_name=Spring+Sale&user_name=Ada", []string{formType}, "thanks", ada},
		{"a multipart form", parts("api_key", defaultKey, "offer_name", "Spring Sale", "user_name", "Ada"), []string{partType}, "thanks", ada},
		{"JSON", `{"api_key":"` + defaultKey + `","offer_name":"Spring Sale","user_name":"Ada"}`, []string{jsonType}, "{", ada},
		{"a form that accepts JSON", "api_key=" + defaultKey + "&offer_name=Spring+Sale&user_name=Ada", []string{formType, "Accept: application/json"}, "{", ada},
		{"a bearer key", `{"offer_name":"Spring Sale","user_name":"Ada"}`, []string{jsonType, "Authorization: Bearer " + defaultKey}, "{", ada},
		{"a key in a header", `{"offer_name":"Spring Sale","user_name":"Ada"}`, []string{jsonType, asOwner}, "{", ada},
		{"the bearer key wins", `{"api_key":"wrong-key-in-body-x","offer_name":"Spring Sale","user_name":"Ada"}`,
			[]string{jsonType, "X-API-Key: wrong-key-in-header", "authorization: bearer " + defaultKey}, "{", ada},
		{"nothing but a key", "api_key=" + defaultKey, []string{formType}, "thanks",
			`{"img_path":"default","offer_name":"one of our partners","user_name":"someone",`},
		{"empty fields", "api_key=" + defaultKey + "&img_path=&offer_name=&user_name=&place=&url=", []string{formType}, "thanks",
			`{"img_path":"default","offer_name":"one of our partners","user_name":"someone",`},
		{"null and blank", `{"img_path":null,"offer_name":" \t","user_name":"\u200d","place":null}`, []string{jsonType, asOwner}, "{",
			`{"img_path":"default","offer_name":"one of our partners","user_name":"someone",`},
		{"an empty object", `{}`, []string{jsonType, asOwner}, "{", `{"img_path":"default","offer_name":"one of our partners","user_name":"someone",`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			resp := h.ask(t, "POST", "/signup", test.body, test.headers...)
			e := c.next(t, 1)[0]
			want := test.response
			if want == "{" {
				want = `{"id":"` + e.ID + `","duplicate":false}`
			}
			if resp.status != 200 || resp.body != want {
				t.Errorf("got %d %q, want %q", resp.status, resp.body, want)
			}
			if !strings.HasPrefix(e.Data, test.event) {
				t.Errorf("got event %s, want %s…", e.Data, test.event)
			}
		})
	}
}
