package api

import (
	"strings"
	"testing"
)

// A refused post has field and rule on its log line, and nothing that was posted.
func TestLogLineOfARefusalHasItsReason(t *testing.T) {
	h := serve(t)
	const secret = "canary-secret-of-somebody-else"
	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		want                     string // of the log line
	}{
		{"a long name", "POST", "/signup", "user_name=" + strings.Repeat(secret, 5), []string{asOwner}, 422,
			`outcome=invalid field=user_name rule="must be at most 120 characters: shorten it, it has 150"`},
		{"an unknown name, which may be a key", "POST", "/signup", secret + "=" + secret, []string{asOwner}, 422,
			`outcome=invalid field=_unknown rule="is not a field`},
		{"an unknown name that is given twice", "POST", "/signup", secret + "=1&" + secret + "=2", []string{asOwner}, 400,
			`outcome=malformed rule="A field that a signup does not have is given more than once: send it once"`},
		{"the key as a name", "POST", "/signup", defaultKey + "=1", []string{asOwner}, 422, `outcome=invalid rule="Your API key is the name`},
		{"a bad Idempotency-Key", "POST", "/signup", "user_name=A", []string{asOwner, "Idempotency-Key: " + strings.Repeat(secret, 5)}, 422,
			`outcome=invalid field=Idempotency-Key rule="must have 1 to 128 characters"`},
		{"a wrong type", "POST", "/signup", `{"api_key":1}`, []string{jsonType}, 400, `outcome=malformed field=api_key rule="must be a JSON string, or null"`},
		{"half JSON", "POST", "/signup", `{"user_name":"` + secret, []string{jsonType, asOwner}, 400, `outcome=malformed rule="The body is not valid JSON`},
		{"JSON as a form", "POST", "/signup", `{"user_name":"` + secret + `"}`, nil, 400,
			`outcome=malformed rule="The body looks like JSON, but is sent as a form: send Content-Type: application/json"`},
		{"another media type", "POST", "/signup", "x", []string{"Content-Type: text/" + secret}, 415, `outcome=media_type rule="Send the signup as`},
		{"no key", "POST", "/signup", "user_name=A", nil, 401, `outcome=unauthorized duration`},
		{"a wrong key", "POST", "/signup", "user_name=A", []string{"Authorization: Bearer " + secret}, 401, `outcome=unauthorized duration`},
		{"a Basic key", "POST", "/signup", "user_name=A", []string{"Authorization: Basic " + secret}, 401,
			`outcome=unauthorized rule="the Authorization header is not of the scheme Bearer`},
		{"a Token key", "POST", "/signup", "user_name=A", []string{"Authorization: Token " + defaultKey}, 401, `outcome=unauthorized rule="the Authorization`},
		{"a bare key", "DELETE", "/signup/k-1", "", []string{"Authorization: " + defaultKey}, 401, `outcome=unauthorized rule="the Authorization`},
		{"a redirected post", "GET", "/signup?user_name=" + secret, "", nil, 405, `outcome=method rule="Signups are posted`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := h.request(t, tt.method, tt.path, tt.body, tt.headers...)
			if got.status != tt.status {
				t.Errorf("got %d %s, want %d", got.status, got.body, tt.status)
			}
			line := h.awaitOutput(t, "request="+got.header.Get(requestHeader))
			if !strings.Contains(line, "level=INFO msg=signup ") || !strings.Contains(line, tt.want) {
				t.Errorf("got %s, want %s", line, tt.want)
			}
		})
	}
	if logged := h.output.String(); strings.Contains(logged, "canary") {
		t.Errorf("the log has what was posted: %s", logged)
	}
}

// Whether a name is somebody's key must not show: nobody may try keys so, beside the limit on wrong ones.
func TestNameThatIsAKeyGetsTheResponseOfAnyOther(t *testing.T) {
	h := serve(t)
	for _, body := range []string{"NAME=1&NAME=2", "NAME=%ff", "NAME=%zz", "NAME=1", parts("NAME", "1", "NAME", "2"), `{"NAME":1,"NAME":2}`, `{"NAME":1}`} {
		for _, asked := range [][]string{nil, {asOwner}} {
			media := formType
			switch body[0] {
			case '-':
				media = partType
			case '{':
				media = jsonType
			}
			answer := func(name string) response {
				got := h.request(t, "POST", "/signup", strings.ReplaceAll(body, "NAME", name), append(asked, media)...)
				got.body = strings.ReplaceAll(got.body, name, "NAME")
				return got
			}
			if got, want := answer(shopKey), answer("canary-key-of-a-nobody"); got.status != want.status || got.body != want.body {
				t.Errorf("%s, %q: got %d %s, want %d %s", body, asked, got.status, got.body, want.status, want.body)
			}
		}
	}
}

func TestJSONAsAFormIsNamedBeforeTheKeyIsLookedAt(t *testing.T) {
	h := serve(t)
	for _, headers := range [][]string{{"Accept: */*"}, {"X-API-Key: wrong"}, {asOwner}} {
		got := h.request(t, "POST", "/signup", `{"api_key":"`+defaultKey+`","user_name":"Ada"}`, headers...)
		if got.status != 400 || !strings.Contains(got.body, "Content-Type: application/json") {
			t.Errorf("%q: got %d %s", headers, got.status, got.body)
		}
	}
}
