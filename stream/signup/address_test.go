package signup

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestLinkIsKept(t *testing.T) {
	tests := []struct{ name, link string }{
		{"a path", "/img/ada.png"},
		{"the root", "/"},
		{"a path with a query and a fragment", "/a?next=//x&y=https://z#//w"},
		{"a path with two slashes later on", "/a//b"},
		{"a path with an at sign", "/@ada"},
		{"a path with a colon", "/javascript:alert(1)"},
		{"a path with percent-encoding", "/%C3%A9%20b"},
		{"an https URL", "https://example.com/a.png"},
		{"an https URL without a path", "https://example.com"},
		{"an https URL with a query at once", "https://example.com?x=1"},
		{"the scheme in another case", "HTTPS://example.com/"},
		{"the host in another case", "https://EXAMPLE.com/"},
		{"a port", "https://example.com:8443/"},
		{"an at sign in the path", "https://medium.com/@ada"},
		{"an international host in its xn-- form", "https://xn--bcher-kva.example/"},
		{"a host with a final dot", "https://example.com./"},
		{"a host with an underscore", "https://my_site.example.com/"},
		{"a host that ends in a letter and digits", "https://web.host1/"},
		{"an IPv4 address", "https://192.0.2.1/"},
		{"an IPv6 address with a port", "https://[2001:db8::1]:8443/"},
		{"everything printable that is allowed", "/!#$%&'()*+,-./:;=?@[]^_`{|}~"},
		{"2,048 bytes", "/" + strings.Repeat("a", 2047)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := New(Fields{"img_path": tt.link, "url": tt.link})
			if err != nil || got.ImgPath != tt.link || got.URL != tt.link {
				t.Errorf("got %+v, %v; want %s", got, err, tt.link)
			}
		})
	}
}

func TestLinkIsEncodedWhereThatIsUnambiguous(t *testing.T) {
	tests := []struct{ name, posted, want string }{
		{"an umlaut and a space in a path", "/uploads/Größe 1.jpg", "/uploads/Gr%C3%B6%C3%9Fe%201.jpg"},
		{"the path of a URL", "https://example.com/é é", "https://example.com/%C3%A9%20%C3%A9"},
		{"a query and a fragment", "https://example.com?q=é#ü b", "https://example.com?q=%C3%A9#%C3%BC%20b"},
		{"an existing percent sign stays", "/100%25 é%C3%A9%", "/100%25%20%C3%A9%C3%A9%"},
		{"an emoji", "/😀.png", "/%F0%9F%98%80.png"},
		{"white space at both ends goes", " \u00a0/a.png ", "/a.png"},
		{"a wide slash later on", "/a／b", "/a%EF%BC%8Fb"},
		{"an invisible character", "/a\u200bb", "/a%E2%80%8Bb"},
		{"2,047 bytes after encoding", "/" + strings.Repeat("é", 341), "/" + strings.Repeat("%C3%A9", 341)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			posted := Fields{"img_path": tt.posted, "url": tt.posted}
			got, err := New(posted)
			if err != nil || got.ImgPath != tt.want || got.URL != tt.want {
				t.Errorf("got %+v, %v; want %s", got, err, tt.want)
			}
			if notes := posted.Notes(); notes != nil {
				t.Errorf("got notes %v, want none", notes)
			}
		})
	}
}

func TestImageIsReplacedInsteadOfLosingTheSignup(t *testing.T) {
	for _, image := range []string{
		"http://example.com/a.png", "HTTP://example.com", "http://bücher.example/ä b.png", "//cdn.example/a.png", "//cdn.example", "a.png",
		"uploads/Größe 1.jpg", "../a.png", "./a.png", "?x=1", "#x", "Default", "undefined", "false", "My%20Photo.png", "a&b.png", " a.png ",
	} {
		posted := Fields{"img_path": image}
		got, err := New(posted)
		if err != nil || got.ImgPath != "default" {
			t.Errorf("img_path %s: got %+v, %v; want default", image, got, err)
		}
		if notes := posted.Notes(); !slices.Equal(notes, []Note{{PictureReplaced, "img_path"}}) {
			t.Errorf("img_path %s: got notes %v", image, notes)
		}
		if s, err := New(Fields{"url": image}); err == nil {
			t.Errorf("url %s: got %+v; want it refused", image, s)
		}
	}
}

// refusedLinks are links that lead elsewhere than they seem to, or that browsers and servers read differently.
var refusedLinks = []struct{ name, link string }{
	{"a script", "javascript:alert(1)"},
	{"a script in another case", "JaVaScRiPt:alert(1)"},
	{"a script behind white space", " javascript:alert(1)"},
	{"a script behind a control character", "\x01javascript:alert(1)"},
	{"a script with a tab that browsers drop", "java\tscript:alert(1)"},
	{"a script with a line end that browsers drop", "java\nscript:alert(1)"},
	{"a script with an encoded colon", "javascript%3Aalert(1)"},
	{"a script with an encoded letter", "%6Aavascript:alert(1)"},
	{"a script with a character reference", "&#106;avascript:alert(1)"},
	{"a script dressed as a URL", "javascript://example.com/%0Aalert(1)"},
	{"a script in full-width letters", "ｊavascript:alert(1)"},
	{"a script behind a byte order mark", "\ufeffjavascript:alert(1)"},
	{"a script behind an invisible space", "\u200bjavascript:alert(1)"},
	{"data", "data:text/html,<script>alert(1)</script>"},
	{"an image in data", "data:image/svg+xml;base64,PHN2Zz4="},
	{"vbscript", "vbscript:msgbox(1)"},
	{"a blob", "blob:https://example.com/x"},
	{"a file", "file:///etc/passwd"},
	{"a view of the source", "view-source:https://example.com"},
	{"a web socket", "wss://example.com/"},
	{"a telephone number", "tel:+4912345"},
	{"a host behind three slashes", "///evil.example"},
	{"a host behind a slash and a backslash", `/\evil.example`},
	{"a host behind two backslashes", `\\evil.example`},
	{"a host behind a slash and a tab that browsers drop", "/\t/evil.example"},
	{"a host behind a slash and a line end that browsers drop", "/\n/evil.example"},
	{"a host behind a second slash, encoded", "/%2Fevil.example"},
	{"a host behind a second slash, encoded in lower case", "/%2fevil.example"},
	{"a host behind a backslash, encoded", "/%5Cevil.example"},
	{"a host behind an encoded tab", "/%09/evil.example"},
	{"a host behind two slashes, both encoded", "%2F%2Fevil.example"},
	{"a host behind a second slash in full width", "/／evil.example"},
	{"a host behind a backslash in full width", "/＼evil.example"},
	{"a host behind a slash and white space", "/ /evil.example\u0085"},
	{"a user at a host behind two slashes", "//user@evil.example/a.png"},
	{"a user at a host over plain http", "http://user@evil.example/a.png"},
	{"an encoded user at a host over plain http", "http://user%40evil.example/a.png"},
	{"plain http and no host", "http:///a.png"},
	{"http with no slash", "http:evil.example"},
	{"a script with a colon by name", "javascript&colon;alert(1)"},
	{"a script with a wide colon", "javascript：alert(1)"},
	{"a host in letters beyond ASCII, after a name in ASCII", "https://good.example.bücher/"},
	{"a space in the host", "https://good.example evil.example/"},
	{"a no-break space in the host", "https://good.example\u00a0/"},
	{"2,049 bytes after encoding", "/aa" + strings.Repeat("é", 341)},
	{"https with no slash", "https:evil.example"},
	{"https with one slash", "https:/evil.example"},
	{"https with three slashes", "https:///evil.example"},
	{"https with a slash and a backslash", `https:/\evil.example`},
	{"https with backslashes", `https:\\evil.example`},
	{"https with encoded slashes", "https:%2F%2Fevil.example"},
	{"https behind a slash too few and a tab", "https:/\t/evil.example"},
	{"https with a space before the colon", "https ://evil.example"},
	{"https and nothing else", "https://"},
	{"https and a query", "https://?x"},
	{"https and a fragment", "https://#x"},
	{"https and a port", "https://:443/"},
	{"https and dots", "https://../"},
	{"an empty label in the host", "https://a..example/"},
	{"a label of 64 bytes", "https://" + strings.Repeat("a", 64) + ".example/"},
	{"a host of 254 bytes", "https://" + strings.Repeat("a.", 126) + "aa/"},
	{"a user", "https://user@evil.example/"},
	{"a user and a password", "https://good.example:x@evil.example/"},
	{"an empty user", "https://@evil.example/"},
	{"a user before a backslash", `https://good.example\@evil.example`},
	{"an encoded at sign in the host", "https://good.example%40evil.example/"},
	{"an encoded slash in the host", "https://evil.example%2F.good.example/"},
	{"an encoded letter in the host", "https://%65vil.example/"},
	{"an encoded NUL in the host", "https://evil.example%00.good.example/"},
	{"a host in letters beyond ASCII", "https://bücher.example/"},
	{"a full-width dot in the host", "https://evil。example/"},
	{"a port that is a word", "https://example.com:https/"},
	{"a port beyond 65535", "https://example.com:65536/"},
	{"port 0", "https://example.com:0/"},
	{"a negative port", "https://example.com:-1/"},
	{"a colon without a port", "https://example.com:/"},
	{"two ports", "https://example.com:80:443/"},
	{"an IPv4 address as one number", "https://2130706433/"},
	{"an IPv4 address in hexadecimal", "https://0x7f.1/"},
	{"an IPv4 address of an empty hexadecimal number", "https://a.0x/"},
	{"an IPv4 address in octal", "https://0177.0.0.1/"},
	{"an IPv4 address too short", "https://127.1/"},
	{"an IPv4 address too long", "https://1.2.3.4.5/"},
	{"a number beyond 64 bits", "https://99999999999999999999999/"},
	{"an IPv6 address without its end", "https://[::1/"},
	{"an IPv6 address with a zone", "https://[fe80::1%25eth0]/"},
	{"an IPv6 address with a tail", "https://[::1]evil.example/"},
	{"an IPv4 address in brackets", "https://[127.0.0.1]/"},
	{"an asterisk for a host", "https://*.example.com/"},
	{"a comma in the host", "https://a,b.example/"},
	{"a quote", `/a"onerror="alert(1)`},
	{"an opening angle bracket", "/a<b"},
	{"a closing angle bracket", "/a>b"},
	{"a backslash later on", `/a\b`},
	{"a backslash in a query", `https://example.com/?a\b`},
	{"a line end at the end", "/a\r\n"},
	{"a NUL", "/a\x00b"},
	{"a delete character", "/a\x7fb"},
	{"a C1 control character", "/a\u0085b"},
	{"a lone surrogate", "/\xed\xa0\x80"},
	{"a control character alone", "\v"},
	{"2,049 bytes", "/" + strings.Repeat("a", 2048)},
}

func TestLinkIsRefused(t *testing.T) {
	for _, tt := range refusedLinks {
		t.Run(tt.name, func(t *testing.T) {
			for _, field := range []string{"img_path", "url"} {
				s, err := New(Fields{field: tt.link})
				var got *RuleError
				if !errors.As(err, &got) || got.Field != field || !strings.HasPrefix(got.Rule, "must ") {
					t.Errorf("%s: got %+v, %v; want it refused", field, s, err)
				}
			}
		})
	}
}

func TestLinkRuleSaysWhatToDo(t *testing.T) {
	tests := []struct{ name, link, rule string }{
		{"another scheme", "http://a.example", "must be an https:// URL, or a path that begins with one /"},
		{"a second slash", "//a.example", "must begin with one / and then a name: write https:// before a host"},
		{"a user", "https://a@b.example", "must not contain user info: remove what stands before the @"},
		{"no host", "https:///a", "must have the name or address of a host after https://, in letters, digits, dots and hyphens (xn-- for other letters)"},
		{"a wrong port", "https://a.example:x", "must have a port from 1 to 65535, or none and no colon"},
		{"a quote", `/"`, `must not contain ": write %22`},
		{"a control character", "/\x7f", "must not contain control characters: remove U+007F"},
		{"half a character", "/a\xed\xa0\x80", "must not contain half of a character: remove the lone surrogate U+D800"},
		{"too many bytes", "/" + strings.Repeat("a", 2048), "must be at most 2048 bytes: shorten it, it has 2049"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, got := checkLink(tt.link); got != tt.rule {
				t.Errorf("got  %s\nwant %s", got, tt.rule)
			}
		})
	}
}

func TestOnlyAnImageHasADefault(t *testing.T) {
	if s, err := New(Fields{"img_path": "default"}); err != nil || s.ImgPath != "default" {
		t.Errorf("img_path: got %+v, %v; want default", s, err)
	}
	if s, err := New(Fields{"url": "default"}); err == nil {
		t.Errorf("url: got %+v; want it refused", s)
	}
}
