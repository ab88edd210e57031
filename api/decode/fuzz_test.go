package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"proofstream/stream/signup"
)

// post is a signup as it was read.
type post struct {
	fields signup.Fields
	key    string
}

// decodeText decodes a body of this media type. An error must be one printable line.
func decodeText(t *testing.T, media, body string) (post, bool) {
	t.Helper()
	fields, key, err := Signup(posting(media, strings.NewReader(body)))
	if err == nil {
		return post{fields, key}, true
	}
	var p *Error
	if !errors.As(err, &p) || p.Status != 400 && p.Status != 413 && p.Status != 415 {
		t.Fatalf("got %#v", err)
	}
	if strings.ContainsAny(p.Detail+p.Field, "\r\n") || !utf8.ValidString(p.Detail+p.Field) || len(p.Detail) > 1024 {
		t.Fatalf("not one printable line: %q, %q", p.Detail, p.Field)
	}
	return post{}, false
}

// agree sends what was read from one body in every media type, and requires that each is read, and
// checked, like the first.
func agree(t *testing.T, first post) {
	t.Helper()
	all := maps.Clone(first.fields)
	all[keyField] = first.key
	want, wantErr := signup.New(first.fields)
	for media, body := range written(t, all) {
		if len(body) > MaxBody {
			continue
		}
		got, ok := decodeText(t, media, body)
		if !ok || got.key != first.key || !maps.Equal(got.fields, first.fields) {
			t.Fatalf("%s: got %q and key %q from %q; want %q and %q", media, got.fields, got.key, body, first.fields, first.key)
		}
		s, err := signup.New(got.fields)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%s: got %v; want %v", media, err, wantErr)
		}
		if !bytes.Equal(s.Data(), want.Data()) {
			t.Fatalf("%s: got %+v; want %+v", media, s, want)
		}
	}
}

// written writes fields in every media type, with the standard library. A multipart name goes
// through quoting of its own, so that only plain ones are written so.
func written(t *testing.T, fields map[string]string) map[string]string {
	t.Helper()
	object, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	values := url.Values{}
	var b strings.Builder
	w := multipart.NewWriter(&b)
	plain := true
	for name, value := range fields {
		values.Set(name, value)
		plain = plain && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") == ""
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	bodies := map[string]string{JSON: string(object)}
	if form := values.Encode(); !looksLikeJSON(form) {
		bodies[Form] = form
	}
	if plain {
		bodies[w.FormDataContentType()] = b.String()
	}
	return bodies
}

// FuzzDecodeJSON compares the decoder with encoding/json, wherever that one is strict enough.
func FuzzDecodeJSON(f *testing.F) {
	f.Add(`{}`)
	f.Add(` {"api_key":"k","user_name":"Ad\u00e9 \ud83d\ude00","place":null,"x":[{"}":"]\\\""}, -1e5]} `)
	f.Add(`{"user_name":"a","user\u005fname":"b"}`)
	f.Add(`{"place":"\ud800\udbff\udc00\udc00"}`)
	f.Add(`{"url":1}{}`)
	f.Add("\ufeff{}")
	f.Add(`{"kind":"order","offer_name":" ","user_name":"someone"}`)
	f.Add(`{"kind":["order"],"blank":["user_name"]}`)
	f.Add("{\"a\":\"\xff\"}")
	f.Fuzz(func(t *testing.T, body string) {
		got, ok := decodeText(t, JSON, body)
		want, valid := modelJSON(body)
		if ok != valid {
			t.Fatalf("accepted is %t; want %t", ok, valid)
		}
		if !ok {
			return
		}
		for name, value := range want {
			came := got.fields[name]
			if name == keyField {
				came = got.key
			}
			if halves := strings.Contains(strings.ToLower(body), `\ud`); came != value && !halves {
				t.Errorf("%q: got %q; want %q", name, came, value)
			}
		}
		whole := utf8.ValidString(got.key)
		for name, value := range got.fields {
			whole = whole && utf8.ValidString(name) && utf8.ValidString(value)
		}
		if whole {
			agree(t, got)
		}
	})
}

// modelJSON returns the known fields of a body by encoding/json, and whether it is to be
// accepted.
func modelJSON(body string) (fields map[string]string, ok bool) {
	size := len(body)
	body = strings.TrimPrefix(body, "\ufeff")
	if size > MaxBody || !utf8.ValidString(body) || !json.Valid([]byte(body)) {
		return nil, false
	}
	d := json.NewDecoder(strings.NewReader(body))
	if open, _ := d.Token(); open != json.Delim('{') {
		return nil, false
	}
	fields = map[string]string{}
	var names []string
	for d.More() {
		var value json.RawMessage
		token, err := d.Token()
		if err != nil || d.Decode(&value) != nil {
			return nil, false
		}
		text, _ := token.(string)
		// encoding/json returns the same for all unpaired surrogates: such names are not compared.
		if slices.Contains(names, text) && !strings.Contains(text, "\ufffd") {
			return nil, false
		}
		names = append(names, text)
		if !known(text) || string(value) == "null" {
			continue
		}
		var read string
		if json.Unmarshal(value, &read) != nil {
			return nil, false
		}
		fields[text] = read
	}
	return fields, true
}

// FuzzDecodeForm compares the decoder with net/url, which accepts repeated fields and invalid UTF-8, but no semicolon: to
// the WHATWG URL standard that is text.
func FuzzDecodeForm(f *testing.F) {
	f.Add("")
	f.Add("api_key=k&user_name=Ada+%2B%20L%C3%A9&&place")
	f.Add("place=a&pl%61ce=b")
	f.Add("url=%zz")
	f.Add("kind=order&user_name=&offer_name=+")
	f.Add("place=a;b&;")
	f.Add("a;b=%ED%A0%80&=\xff")
	f.Fuzz(func(t *testing.T, body string) {
		got, ok := decodeText(t, Form, body)
		values, err := url.ParseQuery(strings.ReplaceAll(body, ";", "%3B"))
		valid := err == nil && len(body) <= MaxBody && !looksLikeJSON(body)
		for name, all := range values {
			valid = valid && len(all) == 1 && utf8.ValidString(name) && utf8.ValidString(all[0])
		}
		if ok != valid {
			t.Fatalf("accepted is %t; want %t", ok, valid)
		}
		if !ok {
			return
		}
		if got.key != values.Get(keyField) {
			t.Errorf("got key %q; want %q", got.key, values.Get(keyField))
		}
		for name, value := range got.fields {
			if value != values.Get(name) {
				t.Errorf("%q: got %q; want %q", name, value, values.Get(name))
			}
		}
		agree(t, got)
	})
}

// FuzzDecodeMultipart requires that what is accepted is what mime/multipart reads, and nothing
// behind it.
func FuzzDecodeMultipart(f *testing.F) {
	f.Add("b", parts())
	f.Add("b", parts(`name="api_key"`, "k", `name="user_name"`, "Adé 😀\r\n--b"))
	f.Add("b", parts(`name="place"`, "a")+parts(`name="place"`, "b"))
	f.Add("--", "----\r\nContent-Disposition: form-data; name*=utf-8''pl%61ce\n\nx\n------")
	f.Add("b", parts(`name="kind"`, "order", `name="user_name"`, " "))
	f.Add("b", parts(`name="img_path"; filename="x"`, "\xff"))
	f.Fuzz(func(t *testing.T, boundary, body string) {
		if strings.ContainsAny(boundary, `"\`) {
			return // quoted otherwise in a header
		}
		media := `multipart/form-data; boundary="` + boundary + `"`
		got, ok := decodeText(t, media, body)
		if !ok {
			return
		}
		read := 0
		for r := multipart.NewReader(strings.NewReader(body), boundary); body != ""; read++ {
			part, err := r.NextRawPart()
			if err == io.EOF {
				break
			}
			value, readErr := io.ReadAll(part)
			if err != nil || readErr != nil {
				t.Fatalf("accepted, but %v, %v", err, readErr)
			}
			came, given := got.fields[part.FormName()]
			if part.FormName() == keyField {
				came, given = got.key, true
			}
			if !given || came != string(value) && known(part.FormName()) {
				t.Errorf("%q: got %q; want %q", part.FormName(), came, value)
			}
		}
		if read < len(got.fields) {
			t.Errorf("got %d fields from %d parts", len(got.fields), read)
		}
		agree(t, got)
	})
}
