package decode

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"proofstream/stream/signup"
)

// posting makes a POST /signup. It always has a query, which must not matter.
func posting(media string, body io.Reader) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/signup?user_name=query&nope=1&api_key=query&offer_name=%zz", body)
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	return r
}

const multipartB = "multipart/form-data; boundary=b"

// parts writes a multipart/form-data body with the boundary b from pairs of header lines and text.
func parts(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "--b\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n", pairs[i], pairs[i+1])
	}
	return b.String() + "--b--\r\n"
}

func TestDecodeSignup(t *testing.T) {
	long := strings.Repeat("x", MaxBody-len(`{"user_name":""}`))
	tests := []struct {
		name, media, body string
		want              signup.Fields
		key               string
	}{
		{"an empty JSON object has no fields", JSON, " {\r\n} \n", signup.Fields{}, ""},
		{"JSON fields come by name", JSON, `{"user_name":"Ada","place":"London","kind":"order"}`, signup.Fields{"user_name": "Ada", "place": "London", "kind": "order"}, ""},
		{"null is absent", JSON, `{"user_name":null,"api_key":null}`, signup.Fields{}, ""},
		{"the key is taken out", JSON, `{"api_key":"k","url":"/"}`, signup.Fields{"url": "/"}, "k"},
		{"white space may stand anywhere in JSON", JSON, "\t{ \"user_name\" :\r\n\"Ada\" , \"url\"\t: null }", signup.Fields{"user_name": "Ada"}, ""},
		{"escapes are decoded", JSON, `{"user\u005fname":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 \u2028"}`, signup.Fields{"user_name": "\"\\/\b\f\n\r\té😀 \u2028"}, ""},
		{"a byte order mark before JSON is ignored", JSON, "\ufeff{\"user_name\":\"Ada\"}", signup.Fields{"user_name": "Ada"}, ""},
		{"an unpaired surrogate is kept for the rule", JSON, `{"user_name":"a\ud800b"}`, signup.Fields{"user_name": "a\xed\xa0\x80b"}, ""},
		{"a low surrogate first is kept for the rule", JSON, `{"user_name":"\udc00\ud800"}`, signup.Fields{"user_name": "\xed\xb0\x80\xed\xa0\x80"}, ""},
		{"a high surrogate before a pair is kept alone", JSON, `{"user_name":"\ud800\ud83d\ude00"}`, signup.Fields{"user_name": "\xed\xa0\x80😀"}, ""},
		{"a surrogate before another escape is kept alone", JSON, `{"user_name":"\ud800\n"}`, signup.Fields{"user_name": "\xed\xa0\x80\n"}, ""},
		{"an unknown field is left to the rules, whatever it holds", JSON, `{"x":{"y":["}",1,{"z":"]"}]} ,"v":1.5e3,"n":null,"t":true}`, signup.Fields{"x": "", "v": "", "n": "", "t": ""}, ""},
		{"names that differ in case are different", JSON, `{"User_Name":"a","user_name":"b"}`, signup.Fields{"User_Name": "a", "user_name": "b"}, ""},
		{"a charset of utf-8 passes", "application/json; charset=UTF-8", `{}`, signup.Fields{}, ""},
		{"the media type is read in any case", "Application/JSON", `{}`, signup.Fields{}, ""},
		{"a body of just the limit passes", JSON, `{"user_name":"` + long + `"}`, signup.Fields{"user_name": long}, ""},

		{"an empty form has no fields", Form, "", signup.Fields{}, ""},
		{"form fields come by name", Form, "user_name=Ada&place=London&api_key=k&kind=order", signup.Fields{"user_name": "Ada", "place": "London", "kind": "order"}, "k"},
		{"plus and percent are decoded", Form, "user%5Fname=Ada+%2B%20L%C3%A9&url=/?a=b", signup.Fields{"user_name": "Ada + Lé", "url": "/?a=b"}, ""},
		{"a form field without a value is empty", Form, "user_name&place=", signup.Fields{"user_name": "", "place": ""}, ""},
		{"empty pairs say nothing", Form, "&&user_name=Ada&", signup.Fields{"user_name": "Ada"}, ""},
		{"a semicolon is text", Form, "user_name=Tom;Jerry", signup.Fields{"user_name": "Tom;Jerry"}, ""},
		{"an unknown form field is left to the rules", Form, "=x&nope=1", signup.Fields{"": "x", "nope": "1"}, ""},

		{"a multipart form without any byte has no fields", multipartB, "", signup.Fields{}, ""},
		{"a multipart form without parts has no fields", multipartB, "--b--\r\n", signup.Fields{}, ""},
		{"parts come by name", multipartB, parts(`name="user_name"`, "Ada\r\nLé", `name=api_key`, "k", `name=kind`, "order"), signup.Fields{"user_name": "Ada\r\nLé", "kind": "order"}, "k"},
		{"a quoted boundary passes", `multipart/form-data; boundary="b"`, parts(`name="place"`, ""), signup.Fields{"place": ""}, ""},
		{"an unknown file is left to the rules", multipartB, parts(`name="avatar"; filename="a.png"`, "\x89PNG"), signup.Fields{"avatar": ""}, ""},
		{"a part of ASCII may claim another charset", multipartB, "--b\r\nContent-Disposition: form-data; name=place\r\nContent-Type: text/plain; charset=ISO-8859-1\r\n\r\nRome\r\n--b--", signup.Fields{"place": "Rome"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fields, key, err := Signup(posting(tt.media, strings.NewReader(tt.body)))
			if err != nil {
				t.Fatalf("got %v; want none", err)
			}
			if !maps.Equal(fields, tt.want) || key != tt.key {
				t.Errorf("got %q and key %q; want %q and %q", fields, key, tt.want, tt.key)
			}
		})
	}
}

// Equal values give byte-equal events in every media type.
func TestMediaTypesAgree(t *testing.T) {
	bodies := map[string]string{
		JSON: `{"api_key":"k","user_name":"Ad\u00e9 \ud83d\ude00","url":"/?a=b&c","place":"a\r\nb","kind":"order"}`,
		Form: "api_key=k&user_name=Ad%C3%A9+%F0%9F%98%80&url=%2F%3Fa%3Db%26c&place=a%0D%0Ab&offer_name=+&kind=order",
		multipartB: parts(`name="api_key"`, "k", `name="user_name"`, "Adé 😀", `name="url"`, "/?a=b&c", `name="place"`, "a\r\nb",
			`name="kind"`, "order", `name="offer_name"`, ""),
		JSON + ";charset=utf-8": `{"kind":"order","place":"a\nb","url":"/?a=b&c","user_name":"Adé 😀","img_path":null,"offer_name":null,"api_key":"k"}`,
	}
	const want = `{"img_path":"default","offer_name":"one of our partners","user_name":"Adé 😀","place":"a b","url":"/?a=b&c",` +
		`"kind":"order","blank":["offer_name"]}`
	for media, body := range bodies {
		fields, key, err := Signup(posting(media, strings.NewReader(body)))
		if err != nil || key != "k" {
			t.Fatalf("%s: got key %q, %v", media, key, err)
		}
		s, err := signup.New(fields)
		if err != nil {
			t.Fatalf("%s: %v", media, err)
		}
		if got := string(s.Data()); got != want {
			t.Errorf("%s: got %s; want %s", media, got, want)
		}
	}
}
