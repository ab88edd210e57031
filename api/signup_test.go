package api

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
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
	ada := `{"img_path":"default","offer_name":"Spring Sale","user_name":"Ada","at":`
	order := `{"img_path":"default","offer_name":"one of our partners","user_name":"Ada","kind":"order","blank":["offer_name"],"at":`
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
			`{"img_path":"default","offer_name":"one of our partners","user_name":"someone","blank":["user_name","offer_name"],"at":`},
		{"empty fields", "api_key=" + defaultKey + "&img_path=&offer_name=&user_name=&place=&url=", []string{formType}, "thanks",
			`{"img_path":"default","offer_name":"one of our partners","user_name":"someone","blank":["user_name","offer_name"],"at":`},
		{"null and blank", `{"img_path":null,"offer_name":" \t","user_name":"\u200d","place":null}`, []string{jsonType, asOwner}, "{",
			`{"img_path":"default","offer_name":"one of our partners","user_name":"someone","blank":["user_name","offer_name"],"at":`},
		{"an empty object", `{}`, []string{jsonType, asOwner}, "{",
			`{"img_path":"default","offer_name":"one of our partners","user_name":"someone","blank":["user_name","offer_name"],"at":`},
		{"a kind in JSON", `{"kind":"order","user_name":"Ada"}`, []string{jsonType, asOwner}, "{", order},
		{"a kind in a form", "kind=order&user_name=Ada&offer_name=", []string{formType, asOwner}, "thanks", order},
		{"a kind in a multipart form", parts("kind", "order", "user_name", "Ada", "offer_name", " "), []string{partType, asOwner}, "thanks", order},
		{"the kind that every signup has", `{"kind":"signup","offer_name":"Spring Sale","user_name":"Ada"}`, []string{jsonType, asOwner}, "{", ada},
		{"every field", `{"img_path":"/a.png","place":"London","url":"/sale","kind":"order"}`, []string{jsonType, asOwner}, "{",
			`{"img_path":"/a.png","offer_name":"one of our partners","user_name":"someone","place":"London","url":"/sale","kind":"order","blank":["user_name","offer_name"],"at":`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			resp := h.request(t, "POST", "/signup", test.body, test.headers...)
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

// The event in the README is what the service sends for its texts.
func TestReadmeShowsAnEventAsItIsSent(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```\n{\"img_path\"")
	line, _, found := strings.Cut(`{"img_path"`+rest, "\n```")
	var shown map[string]any
	if err := json.Unmarshal([]byte(line), &shown); err != nil || !found {
		t.Fatalf("there is no event in the README: %v in %.200q", err, line)
	}
	blank, _ := shown["blank"].([]any)
	posted := maps.Clone(shown)
	maps.DeleteFunc(posted, func(name string, _ any) bool {
		return name == "at" || name == "blank" || slices.Contains(blank, any(name))
	})
	body, err := json.Marshal(posted)
	if err != nil {
		t.Fatal(err)
	}
	h := serve(t)
	h.post(t, string(body))
	sent := h.open(t, "/events?recent=1").next(t, 2)[1].Data
	got, _, _ := strings.Cut(sent, `"at":`)
	want, _, _ := strings.Cut(line, `"at":`)
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
