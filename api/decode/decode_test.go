package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"proofstream/stream/signup"
)

// posting makes a POST /signup. The query must never matter, so there always is one.
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
		{"JSON fields come by name", JSON, `{"user_name":"Ada","place":"London"}`, signup.Fields{"user_name": "Ada", "place": "London"}, ""},
		{"null is absent", JSON, `{"user_name":null,"api_key":null}`, signup.Fields{}, ""},
		{"the key is taken out", JSON, `{"api_key":"k","url":"/"}`, signup.Fields{"url": "/"}, "k"},
		{"white space may stand anywhere in JSON", JSON, "\t{ \"user_name\" :\r\n\"Ada\" , \"url\"\t: null }", signup.Fields{"user_name": "Ada"}, ""},
		{"escapes are decoded", JSON, `{"user\u005fname":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 \u2028"}`, signup.Fields{"user_name": "\"\\/\b\f\n\r\té😀 \u2028"}, ""},
		{"a lone surrogate is kept for the rule", JSON, `{"user_name":"a\ud800b"}`, signup.Fields{"user_name": "a\xed\xa0\x80b"}, ""},
		{"a low surrogate first is kept for the rule", JSON, `{"user_name":"\udc00\ud800"}`, signup.Fields{"user_name": "\xed\xb0\x80\xed\xa0\x80"}, ""},
		{"a high surrogate before a pair is kept alone", JSON, `{"user_name":"\ud800\ud83d\ude00"}`, signup.Fields{"user_name": "\xed\xa0\x80😀"}, ""},
		{"a surrogate before another escape is kept alone", JSON, `{"user_name":"\ud800\n"}`, signup.Fields{"user_name": "\xed\xa0\x80\n"}, ""},
		{"an unknown field is left to the rules, whatever it holds", JSON, `{"x":{"y":["}",1,{"z":"]"}]} ,"v":1.5e3,"n":null,"t":true}`, signup.Fields{"x": "", "v": "", "n": "", "t": ""}, ""},
		{"names are told apart by case", JSON, `{"User_Name":"a","user_name":"b"}`, signup.Fields{"User_Name": "a", "user_name": "b"}, ""},
		{"a charset of utf-8 passes", "application/json; charset=UTF-8", `{}`, signup.Fields{}, ""},
		{"the media type is read in any case", "Application/JSON", `{}`, signup.Fields{}, ""},
		{"a body of just the limit passes", JSON, `{"user_name":"` + long + `"}`, signup.Fields{"user_name": long}, ""},

		{"an empty form has no fields", Form, "", signup.Fields{}, ""},
		{"form fields come by name", Form, "user_name=Ada&place=London&api_key=k", signup.Fields{"user_name": "Ada", "place": "London"}, "k"},
		{"plus and percent are decoded", Form, "user%5Fname=Ada+%2B%20L%C3%A9&url=/?a=b", signup.Fields{"user_name": "Ada + Lé", "url": "/?a=b"}, ""},
		{"a form field without a value is empty", Form, "user_name&place=", signup.Fields{"user_name": "", "place": ""}, ""},
		{"empty pairs say nothing", Form, "&&user_name=Ada&", signup.Fields{"user_name": "Ada"}, ""},
		{"a semicolon is text", Form, "user_name=Tom;Jerry", signup.Fields{"user_name": "Tom;Jerry"}, ""},
		{"an unknown form field is left to the rules", Form, "=x&nope=1", signup.Fields{"": "x", "nope": "1"}, ""},

		{"a multipart form without any byte has no fields", multipartB, "", signup.Fields{}, ""},
		{"a multipart form without parts has no fields", multipartB, "--b--\r\n", signup.Fields{}, ""},
		{"parts come by name", multipartB, parts(`name="user_name"`, "Ada\r\nLé", `name=api_key`, "k"), signup.Fields{"user_name": "Ada\r\nLé"}, "k"},
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
		{"a byte order mark", JSON, "\ufeff{}", 400, "", "byte order mark"},
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
		{"a repeated unknown field", JSON, `{"\ud800":1,"\ud800":2}`, 400, "\ufffd\ufffd\ufffd", "more than once"},
		{"a wrong type after an unknown field", JSON, `{"nope":1,"place":2}`, 400, "place", ""},

		{"a repeated form field", Form, "place=a&place=a", 400, "place", "more than once"},
		{"a form field repeated in escapes", Form, "place=a&pl%61ce=b", 400, "place", "more than once"},
		{"an invalid escape in a form", Form, "place=%zz", 400, "place", "percent-encode"},
		{"an invalid escape in a name", Form, "pl%=x", 400, "", "percent-encode"},
		{"an escape cut short in a form", Form, "place=100%2", 400, "place", "percent-encode"},
		{"invalid UTF-8 in a form", Form, "place=%ff", 400, "place", "UTF-8"},
		{"an encoded surrogate in a form", Form, "place=%ED%A0%80", 400, "place", "UTF-8"},
		{"invalid UTF-8 in a form's name", Form, "%ff=1", 400, "", "UTF-8"},
		{"JSON sent as a form", Form, `{"place":"100%"}`, 400, "", ""},

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

func TestDecodeSignupRefusesCodedBodies(t *testing.T) {
	for coding, status := range map[string]int{"gzip": 415, "identity": 0, "IDENTITY": 0, "": 0, "identity, br": 415} {
		r := posting(JSON, strings.NewReader(`{}`))
		r.Header.Set("Content-Encoding", coding)
		_, _, err := Signup(r)
		var got *Error
		if errors.As(err, &got); (got == nil) != (status == 0) || got != nil && got.Status != status {
			t.Errorf("Content-Encoding %q: got %+v; want status %d", coding, got, status)
		}
	}
}

func TestDecodeSignupRefusesTwoMediaTypes(t *testing.T) {
	r := posting(JSON, strings.NewReader(`{}`))
	r.Header.Add("Content-Type", Form)
	_, _, err := Signup(r)
	var got *Error
	if !errors.As(err, &got) || got.Status != http.StatusUnsupportedMediaType {
		t.Errorf("got %v; want 415", err)
	}
}

func TestDecodeSignupBelievesALengthBeyondTheLimit(t *testing.T) {
	body := &counter{}
	r := posting(JSON, body)
	r.ContentLength = MaxBody + 1
	_, _, err := Signup(r)
	var got *Error
	if !errors.As(err, &got) || got.Status != http.StatusRequestEntityTooLarge || body.n != 0 {
		t.Errorf("got %v after %d bytes; want 413 before the first", err, body.n)
	}
}

func TestDecodeSignupStopsReadingAtTheLimit(t *testing.T) {
	endless := &counter{}
	_, _, err := Signup(posting(Form, endless))
	var got *Error
	if !errors.As(err, &got) || got.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("got %v; want 413", err)
	}
	if endless.n > 4*MaxBody {
		t.Errorf("read %d bytes; want to stop soon after %d", endless.n, MaxBody)
	}
}

// counter is a body without end that counts what was read of it.
type counter struct{ n int }

func (c *counter) Read(p []byte) (int, error) {
	c.n += len(p)
	return len(p), nil
}

func TestDecodeSignupReportsABrokenBody(t *testing.T) {
	for broken, status := range map[error]int{
		io.ErrUnexpectedEOF:                     http.StatusBadRequest,
		os.ErrDeadlineExceeded:                  http.StatusRequestTimeout,
		&http.MaxBytesError{Limit: MaxBody / 2}: http.StatusRequestEntityTooLarge,
	} {
		body := io.MultiReader(strings.NewReader(`{}`), iotest.ErrReader(broken))
		_, _, err := Signup(posting(JSON, body))
		var got *Error
		if !errors.As(err, &got) || got.Status != status {
			t.Errorf("%v: got %v; want %d", broken, err, status)
		}
	}
}

// Equal values give byte-equal events, whichever way they are written.
func TestMediaTypesAgree(t *testing.T) {
	bodies := map[string]string{
		JSON:                    `{"api_key":"k","user_name":"Ad\u00e9 \ud83d\ude00","url":"/?a=b&c","place":"a\r\nb"}`,
		Form:                    "api_key=k&user_name=Ad%C3%A9+%F0%9F%98%80&url=%2F%3Fa%3Db%26c&place=a%0D%0Ab",
		multipartB:              parts(`name="api_key"`, "k", `name="user_name"`, "Adé 😀", `name="url"`, "/?a=b&c", `name="place"`, "a\r\nb"),
		JSON + ";charset=utf-8": `{"place":"a\nb","url":"/?a=b&c","user_name":"Adé 😀","img_path":null,"api_key":"k"}`,
	}
	var want []byte
	for media, body := range bodies {
		fields, key, err := Signup(posting(media, strings.NewReader(body)))
		if err != nil || key != "k" {
			t.Fatalf("%s: got key %q, %v", media, key, err)
		}
		s, err := signup.New(fields)
		if err != nil {
			t.Fatalf("%s: %v", media, err)
		}
		data := s.Data()
		if want == nil {
			want = data
		}
		if !bytes.Equal(data, want) {
			t.Errorf("%s: got %s; want %s", media, data, want)
		}
	}
}
