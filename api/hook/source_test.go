package hook

import (
	"net/http"
	"strings"
	"testing"
)

const order = `{"id":820982911946154508,"total":29.350,"big":1E400,"paid":true,"test":false,"note":null,"blank":" ","empty":"",
	"billing":{"first_name":"Ada","a b":"spaced","0":"zero","":"unnamed"},"line_items":[{"title":"Tote"},["nested"],7],
	"escaped":"Zo\u00eb \"Z\" \ud83d\ude00","half":"Ada \ud83d","sp\u0065lled":"by escapes"}`

func messageOf(t testing.TB, body string) message {
	t.Helper()
	doc, err := parseDocument([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return message{http.Header{"X-Topic": {"orders/create", "second"}, "X-Blank": {" "}}, doc}
}

func TestASourceFindsItsValue(t *testing.T) {
	m := messageOf(t, order)
	for _, tt := range []struct{ name, source, want string }{
		{"a member", "billing.first_name", "Ada"},
		{"an element", "line_items.0.title", "Tote"},
		{"an element of an element", "line_items.1.0", "nested"},
		{"a number beyond 2^53 keeps its digits", "id", "820982911946154508"},
		{"a fraction keeps its zeros", "total", "29.350"},
		{"a number beyond any float", "big", "1E400"},
		{"true", "paid", "true"},
		{"false", "test", "false"},
		{"null is absent", "note", ""},
		{"an element that is a number", "line_items.2", "7"},
		{"an object is absent", "billing", ""},
		{"an array is absent", "line_items", ""},
		{"an element after the last is absent", "line_items.3", ""},
		{"a negative index is absent", "line_items.-1", ""},
		{"an index with a leading zero is absent", "line_items.02", ""},
		{"an index with a sign is absent", "line_items.+2", ""},
		{"a name in an array is absent", "line_items.title", ""},
		{"a member of a number is absent", "id.0", ""},
		{"a member of a text is absent", "escaped.0", ""},
		{"another case is another name", "Billing.first_name", ""},
		{"an index is a name in an object", "billing.0", "zero"},
		{"a name with a space", "billing.a b", "spaced"},
		{"escapes are decoded", "escaped", `Zoë "Z" 😀`},
		{"escapes in a name are decoded", "spelled", "by escapes"},
		{"half a character is left to the rules of texts", "half", "Ada \xED\xA0\x80"},
		{"the first that is there", "note|blank|empty|missing|billing.first_name|id", "Ada"},
		{"white space around alternatives", " note | billing.first_name ", "Ada"},
		{"a header, its first line", "header:x-topic", "orders/create"},
		{"a blank header is absent", "header:X-Blank|header:X-None|id", "820982911946154508"},
		{"a literal", "text:Spring Sale", "Spring Sale"},
		{"a literal goes to the end", "text:a|b: c, d", "a|b: c, d"},
		{"a literal when nothing else is there", "missing|text:our shop", "our shop"},
		{"nothing", "", ""},
	} {
		s, err := parseSource(tt.source)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if got := s.text(m); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAWrongSourceIsRefused(t *testing.T) {
	for _, text := range []string{".", "a.", ".a", "a..b", "|", "a|", "|a", "a||b", " ", "header:", "header:a b", "a|header:ü", "text:", "a|text: ", "a\x00b", "a. b"} {
		if s, err := parseSource(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, s)
		}
	}
}

func TestConditionsHold(t *testing.T) {
	m := messageOf(t, order)
	for _, tt := range []struct {
		name, conditions string
		want             bool
	}{
		{"none", "", true},
		{"equal", "billing.first_name=Ada", true},
		{"another case is not equal", "billing.first_name=ada", false},
		{"a part is not equal", "billing.first_name=Ad", false},
		{"one of several", "billing.first_name=Zoe|Ada|Eve", true},
		{"none of several", "billing.first_name=Zoe|Eve", false},
		{"a number as it is written", "id=820982911946154508", true},
		{"the next number is another", "id=820982911946154509", false},
		{"true", "paid=true", true},
		{"not equal", "test!=true", true},
		{"not equal, but it is", "paid!=true", false},
		{"not one of several, but it is", "paid!=false|true", false},
		{"an absent value equals nothing", "missing=a", false},
		{"null equals nothing", "note=null", false},
		{"an absent value is not equal", "missing!=a", true},
		{"a header", "header:X-Topic=orders/create|orders/paid", true},
		{"a value with =", "billing.first_name=a=b", false},
		{"all hold", "paid=true, test=false,", true},
		{"one does not", "paid=true,test=true", false},
		{"the first alternative that is there", "note|billing.first_name=Ada", true},
		{"white space", " billing.first_name = Ada | Eve , paid != false ", true},
	} {
		list, err := parseConditions(tt.conditions)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if got := allHold(list, m); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	for _, text := range []string{"a", "=a", "!=a", "a=", "a!=", "a=b|", "a=|b", "a=b,c", ",", "text:a=b", "a|text:b=c", "a..b=c", "header:=x"} {
		if list, err := parseConditions(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, list)
		}
	}
}

func TestUnreadableBodiesAreRefused(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }
	for name, body := range map[string]string{
		"nothing": "", "white space": " \n", "a text": `"Ada"`, "a number": "7", "null": "null", "a form": "a=b", "XML": "<order/>",
		"an object that does not end": `{"a":1`, "bytes after it": `{} x`, "a second object": `{}{}`, "a comma too many": `{"a":1,}`,
		"a comment": `{/**/}`, "a repeated name": `{"a":1,"a":2}`, "invalid UTF-8": "{\"a\":\"\xff\"}", "a control character": "{\"a\":\"\x00\"}",
		"single quotes": `{'a':1}`, "no quotes": `{a:1}`, "NaN": `{"a":NaN}`, "a leading zero": `{"a":01}`, "UTF-16": "{\x00}\x00",
		"101 levels": deep(maxDepth + 1), "100,000 levels": strings.Repeat(`{"a":`, 100_000), "two byte order marks": "\ufeff\ufeff{}",
	} {
		if _, err := parseDocument([]byte(body)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, body := range map[string]string{"100 levels": deep(maxDepth), "a byte order mark": "\ufeff{}", "an array": "[]", "white space": " {} \r\n"} {
		if _, err := parseDocument([]byte(body)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := parseDocument([]byte(`{"a":1,}`)); err == nil || !strings.Contains(err.Error(), "byte 7") {
		t.Errorf("got %v, want the comma, byte 7", err)
	}
}

// Whatever the texts are, a source that is accepted finds a value without a panic, and a refusal does not show the text.
func FuzzSource(f *testing.F) {
	for _, seed := range []string{"a.b|c", "header:X|text:y", "line_items.0.title", "|", "text:", "a.", "escaped.0|half", "0"} {
		f.Add(seed, order)
	}
	f.Add("a.0", `[[1,{"a":[2]}],"\ud83d"]`)
	f.Fuzz(func(t *testing.T, text, body string) {
		s, err := parseSource(text)
		if len(text) > 30 && err != nil && strings.Contains(err.Error(), text) {
			t.Errorf("%v shows the text", err)
		}
		if _, err := parseConditions(text); err != nil && len(text) > 30 && strings.Contains(err.Error(), text) {
			t.Errorf("%v shows the text", err)
		}
		if doc, err := parseDocument([]byte(body)); err == nil {
			s.text(message{http.Header{}, doc})
		}
	})
}
