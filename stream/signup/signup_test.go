package signup

import (
	"errors"
	"strings"
	"testing"
	"time"

	"proofstream/stream"
)

func TestNew(t *testing.T) {
	tests := []struct {
		name   string
		posted Fields
		want   Signup
	}{
		{
			"no fields make a signup with every default",
			Fields{},
			Signup{UserName: "someone", OfferName: "one of our partners", ImgPath: "default", UserNameBlank: true, OfferNameBlank: true},
		}, {
			"empty and blank fields count as absent",
			Fields{"user_name": "", "offer_name": " \t", "img_path": "\r\n", "place": "\u00a0", "url": " ", "kind": " \u200d"},
			Signup{UserName: "someone", OfferName: "one of our partners", ImgPath: "default", UserNameBlank: true, OfferNameBlank: true},
		}, {
			"what is given is kept",
			Fields{"user_name": "Ada", "offer_name": "Spring Sale", "img_path": "/ada.png", "place": "London", "url": "https://example.com/?a=1#b", "kind": "order"},
			Signup{UserName: "Ada", OfferName: "Spring Sale", ImgPath: "/ada.png", Place: "London", URL: "https://example.com/?a=1#b", Kind: "order"},
		}, {
			"only the name is blank",
			Fields{"user_name": "\u200d", "offer_name": "Spring Sale"},
			Signup{UserName: "someone", OfferName: "Spring Sale", ImgPath: "default", UserNameBlank: true},
		}, {
			"only the offer is blank",
			Fields{"user_name": "Ada"},
			Signup{UserName: "Ada", OfferName: "one of our partners", ImgPath: "default", OfferNameBlank: true},
		}, {
			"the words of the defaults are not blank when the backend writes them",
			Fields{"user_name": "someone", "offer_name": "one of our partners"},
			Signup{UserName: "someone", OfferName: "one of our partners", ImgPath: "default"},
		}, {
			"the kind of every signup is left out",
			Fields{"user_name": "Ada", "offer_name": "Spring Sale", "kind": "signup"},
			Signup{UserName: "Ada", OfferName: "Spring Sale", ImgPath: "default"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := New(tt.posted)
			if err != nil || got != tt.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestUnknownFieldIsNamedSafely(t *testing.T) {
	tests := []struct {
		name, field, want string
	}{
		{"a name that no field resembles", "email", `email is not a field of a signup: there are api_key, user_name, offer_name, img_path, place, url, kind`},
		{"a name in another case", "userName", `userName is not a field of a signup: write user_name`},
		{"a name with a hyphen", "img-path", `img-path is not a field of a signup: write img_path`},
		{"the key under another name", "apiKey", `apiKey is not a field of a signup: write api_key`},
		{"an empty name", "", `"" is not a field of a signup: there are api_key, user_name, offer_name, img_path, place, url, kind`},
		{"line ends, bidi and a lone surrogate", "a\r\n\u202eb\xed\xa0\x80", "\"a\ufffd\ufffd\ufffdb\ufffd\ufffd\ufffd\" is not a field of a signup: there are api_key, user_name, offer_name, img_path, place, url, kind"},
		{"a name of many characters", strings.Repeat("é", 1000), `"` + strings.Repeat("é", 64) + `…" is not a field of a signup: there are api_key, user_name, offer_name, img_path, place, url, kind`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(Fields{tt.field: "x", "user_name": "\x00"})
			var broken *RuleError
			if !errors.As(err, &broken) {
				t.Fatalf("got %v; want a *RuleError", err)
			}
			if got := broken.Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestFirstUnknownFieldIsNamedEachTime(t *testing.T) {
	for range 20 {
		_, err := New(Fields{"c": "", "b": "", "a": ""})
		var broken *RuleError
		if !errors.As(err, &broken) || broken.Field != "a" {
			t.Fatalf("got %v; want a rule error for a", err)
		}
	}
}

func TestData(t *testing.T) {
	tests := []struct {
		name   string
		signup Signup
		want   string
	}{
		{
			"what is not given is left out",
			Signup{UserName: "Ada", OfferName: "Spring Sale", ImgPath: "default"},
			`{"img_path":"default","offer_name":"Spring Sale","user_name":"Ada"}`,
		}, {
			"members keep their order",
			Signup{UserName: "Ada", OfferName: "Spring Sale", ImgPath: "/a", Place: "London", URL: "/b", Kind: "order", UserNameBlank: true, OfferNameBlank: true},
			`{"img_path":"/a","offer_name":"Spring Sale","user_name":"Ada","place":"London","url":"/b","kind":"order","blank":["user_name","offer_name"]}`,
		}, {
			"blank lists the name alone",
			Signup{UserName: "someone", OfferName: "Spring Sale", ImgPath: "default", UserNameBlank: true},
			`{"img_path":"default","offer_name":"Spring Sale","user_name":"someone","blank":["user_name"]}`,
		}, {
			"blank lists the offer alone, after the kind",
			Signup{UserName: "Ada", OfferName: "one of our partners", ImgPath: "default", Kind: "review", OfferNameBlank: true},
			`{"img_path":"default","offer_name":"one of our partners","user_name":"Ada","kind":"review","blank":["offer_name"]}`,
		}, {
			"what a line or a string could end on is escaped, markup is not",
			Signup{UserName: "\"\\\u2028\u2029\n\x1f", OfferName: "<b>&'", ImgPath: "default"},
			`{"img_path":"default","offer_name":"<b>&'","user_name":"\"\\\u2028\u2029\u000a\u001f"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(tt.signup.Data()); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Every signup that is accepted must make a frame within the limit: the widest texts, in
// characters of four bytes and in characters that are escaped, beside the longest links.
func TestLargestSignupFits(t *testing.T) {
	link := "https://example.com/" + strings.Repeat("a", maxLink-len("https://example.com/"))
	for _, char := range []string{"😀", "\"", "\\", "\u2028", "\u2029", "\u200d", "é"} {
		text := "x" + strings.Repeat(char, maxText-2) + "x"
		s, err := New(Fields{"user_name": text, "offer_name": text, "place": text, "img_path": link, "url": link, "kind": strings.Repeat("k", maxKind)})
		if err != nil {
			t.Fatalf("%q: %v", char, err)
		}
		data := s.Data()
		if len(data) > stream.MaxData {
			t.Errorf("%q: data of %d bytes; want at most %d", char, len(data), stream.MaxData)
		}
		longest := stream.ID{Epoch: strings.Repeat("z", 16), Seq: 1<<64 - 1}
		if n := len(stream.NewFrame(stream.Event{ID: longest, Time: time.Now(), Data: data}).Bytes()); n > stream.MaxFrame {
			t.Errorf("%q: frame of %d bytes; want at most %d", char, n, stream.MaxFrame)
		}
	}
}

func TestDataAllocatesOnce(t *testing.T) {
	s := Signup{UserName: "Ada", OfferName: "Spring Sale", ImgPath: "default", Place: "London", URL: "/", Kind: "order", UserNameBlank: true, OfferNameBlank: true}
	if got := testing.AllocsPerRun(100, func() { s.Data() }); got > 1 {
		t.Errorf("got %v allocations; want 1", got)
	}
}
