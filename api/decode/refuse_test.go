package decode

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestDecodeSignupRefuses(t *testing.T) {
	tests := []struct {
		name, media, body string
		status            int
		field, detail     string // of the detail a part
	}{
		{"no media type", "", `{}`, 415, "", "Content-Type"},
		{"another media type", "text/plain", `{}`, 415, "", "application/json"},
		{"a media type that only resembles JSON", "application/problem+json", `{}`, 415, "", ""},
		{"a broken media type", "application/json; charset", `{}`, 415, "", ""},
		{"another charset", "application/json; charset=latin1", `{}`, 415, "", "utf-8"},
		{"another charset of a form", Form + "; charset=iso-8859-1", ``, 415, "", "utf-8"},
		{"a wrong media type before a long body", "text/plain", strings.Repeat("x", MaxBody+1), 415, "", ""},
		{"a body beyond the limit", JSON, `{}` + strings.Repeat(" ", MaxBody-1), 413, "", "16384"},
		{"a form beyond the limit", Form, strings.Repeat("x", MaxBody+1), 413, "", ""},
		{"a multipart form beyond the limit", multipartB, strings.Repeat("x", MaxBody+1), 413, "", ""},

		{"no JSON at all", JSON, ``, 400, "", "empty"},
		{"white space for JSON", JSON, "  \n", 400, "", "JSON"},
		{"JSON that ends early", JSON, `{"user_name":"Ada"`, 400, "", "byte 18"},
		{"a comma too many", JSON, `{"user_name":"Ada",}`, 400, "", "byte 20"},
		{"a second object", JSON, `{}{}`, 400, "", "byte 3"},
		{"a trailing NUL", JSON, "{}\x00", 400, "", ""},
		{"a byte order mark alone", JSON, "\ufeff", 400, "", "empty"},
		{"two byte order marks", JSON, "\ufeff\ufeff{}", 400, "", "byte 1"},
		{"a byte order mark at the end", JSON, "{}\ufeff", 400, "", "byte 3"},
		{"a JSON array", JSON, `[]`, 400, "", "object"},
		{"a JSON null", JSON, `null`, 400, "", "object"},
		{"a JSON string", JSON, `"{}"`, 400, "", "object"},
		{"nesting without end", JSON, strings.Repeat("[", MaxBody), 400, "", ""},
		{"nesting to the limit", JSON, `{"x":` + strings.Repeat("[", 8000) + strings.Repeat("]", 8001) + `}`, 400, "", ""},
		{"a raw line end in a string", JSON, "{\"user_name\":\"a\nb\"}", 400, "", ""},
		{"an escape that is none", JSON, `{"user_name":"\x41"}`, 400, "", ""},
		{"an escape cut short", JSON, `{"user_name":"\u00"}`, 400, "", ""},
		{"invalid UTF-8 in JSON", JSON, "{\"user_name\":\"\xff\"}", 400, "", "UTF-8"},
		{"a raw surrogate in JSON", JSON, "{\"user_name\":\"\xed\xa0\x80\"}", 400, "", "UTF-8"},
		{"invalid UTF-8 in an unknown field", JSON, "{\"nope\":\"\xc0\xaf\"}", 400, "", "UTF-8"},
		{"a number", JSON, `{"user_name":1}`, 400, "user_name", "user_name must be a JSON string"},
		{"a boolean", JSON, `{"place":false}`, 400, "place", "place must be"},
		{"an object for a text", JSON, `{"url":{}}`, 400, "url", "url must be"},
		{"a number for the key", JSON, `{"api_key":1234567890123456}`, 400, "api_key", "must be a JSON string"},
		{"a repeated field", JSON, `{"user_name":"a","user_name":"a"}`, 400, "user_name", "more than once"},
		{"a field repeated in escapes", JSON, `{"user_name":"a","user\u005fname":"b"}`, 400, "user_name", "more than once"},
		{"a field repeated after null", JSON, `{"place":null,"place":"b"}`, 400, "place", "more than once"},
		{"a repeated key", JSON, `{"api_key":"a","api_key":"b"}`, 400, "api_key", "more than once"},
		{"a repeated unknown field", JSON, `{"\ud800":1,"\ud800":2}`, 400, "", "more than once"},
		{"a wrong type after an unknown field", JSON, `{"nope":1,"place":2}`, 400, "place", ""},

		{"a repeated form field", Form, "place=a&place=a", 400, "place", "more than once"},
		{"a form field repeated in escapes", Form, "place=a&pl%61ce=b", 400, "place", "more than once"},
		{"an invalid escape in a form", Form, "place=%zz", 400, "place", "percent-encode"},
		{"an invalid escape in a name", Form, "pl%=x", 400, "", "percent-encode"},
		{"an escape cut short in a form", Form, "place=100%2", 400, "place", "percent-encode"},
		{"invalid UTF-8 in a form", Form, "place=%ff", 400, "place", "UTF-8"},
		{"an encoded surrogate in a form", Form, "place=%ED%A0%80", 400, "place", "UTF-8"},
		{"invalid UTF-8 in a form's name", Form, "%ff=1", 400, "", "UTF-8"},
		{"an unknown field with invalid UTF-8, which may be a key", Form, "some-secret-api-key=%ff", 400, "", "A field that a signup does not have is not valid UTF-8"},
		{"JSON sent as a form", Form, `{"place":"100%"}`, 400, "", "Content-Type: application/json"},
		{"JSON with & and = sent as a form", Form, `{"url":"/?a=1&b=2"}`, 400, "", "Content-Type: application/json"},
		{"JSON behind a byte order mark and white space sent as a form", Form, "\ufeff\r\n {}", 400, "", "Content-Type: application/json"},
		{"a JSON array sent as a form", Form, `[{"place":"Rome"}]`, 400, "", "Content-Type: application/json"},
		{"encoded JSON sent as a form", Form, "%7b%22place%22%3A%22Rome%22%7D=", 400, "", "Content-Type: application/json"},

		{"no boundary", "multipart/form-data", parts(), 400, "", "boundary"},
		{"an empty boundary", `multipart/form-data; boundary=""`, parts(), 400, "", "boundary"},
		{"a form without its boundary", multipartB, "place=x", 400, "", "boundary"},
		{"a part that ends early", multipartB, "--b\r\nContent-Disposition: form-data; name=place\r\n\r\nRome", 400, "", "boundary"},
		{"bytes after the last boundary", multipartB, parts(`name="place"`, "a") + "x", 400, "", "begin and end"},
		{"a second form after the last boundary", multipartB, parts(`name="place"`, "a") + parts(`name="place"`, "b"), 400, "", "begin and end"},
		{"bytes before the first boundary", multipartB, "place=x\r\n" + parts(`name="place"`, "a"), 400, "", "begin and end"},
		{"bytes before the only boundary", multipartB, "place=x\r\n" + parts(), 400, "", "begin and end"},
		{"a repeated part", multipartB, parts(`name="place"`, "a", `name="place"`, "b"), 400, "place", "more than once"},
		{"a file for a text", multipartB, parts(`name="img_path"; filename="a.png"`, "\x89PNG"), 400, "img_path", "not a file"},
		{"a part without a name", multipartB, parts(`x=y`, "a"), 400, "", "no name"},
		{"an attachment", multipartB, strings.ReplaceAll(parts(`name="place"`, "a"), "form-data", "attachment"), 400, "", "no name"},
		{"invalid UTF-8 in a part", multipartB, parts(`name="place"`, "\xff"), 400, "place", "UTF-8"},
		{"a part in another charset", multipartB, "--b\r\nContent-Disposition: form-data; name=place\r\nContent-Type: text/plain; charset=utf-16\r\n\r\né\r\n--b--", 400, "place", "utf-8"},
		{"a part in base64", multipartB, "--b\r\nContent-Disposition: form-data; name=place\r\nContent-Transfer-Encoding: base64\r\n\r\nUm9tZQ==\r\n--b--", 400, "place", "as it is"},
	}
	for _, tt := range tests {
		for _, sent := range []string{"with its length", "in chunks"} {
			t.Run(tt.name+" "+sent, func(t *testing.T) {
				var body io.Reader = strings.NewReader(tt.body)
				if sent == "in chunks" {
					body = iotest.OneByteReader(body)
				}
				_, _, err := Signup(posting(tt.media, body))
				var got *Error
				if !errors.As(err, &got) {
					t.Fatalf("got %v; want a *Error", err)
				}
				if got.Status != tt.status || got.Field != tt.field || !strings.Contains(got.Detail, tt.detail) {
					t.Errorf("got %d, field %q, %q; want %d, field %q, …%s…", got.Status, got.Field, got.Detail, tt.status, tt.field, tt.detail)
				}
			})
		}
	}
}
