package signup

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// keptTexts are texts that are accepted, with what becomes of them; an empty one is blank.
var keptTexts = []struct{ name, posted, want string }{
	{"a plain name", "Ada", "Ada"},
	{"white space at both ends goes", " \t Ada Lovelace\u00a0\u3000\u2028\n", "Ada Lovelace"},
	{"white space within stays", "Ada  \u00a0Lovelace", "Ada  \u00a0Lovelace"},
	{"a tab becomes a space", "a\tb", "a b"},
	{"a line feed becomes a space", "a\nb", "a b"},
	{"a carriage return becomes a space", "a\rb", "a b"},
	{"both together become one space", "a\r\nb", "a b"},
	{"the wrong way round they become two", "a\n\rb", "a  b"},
	{"line and paragraph separators stay", "a\u2028b\u2029c", "a\u2028b\u2029c"},
	{"a leading colon stays", ": data: x", ": data: x"},
	{"quotes and backslashes stay", `"\n\"'`, `"\n\"'`},
	{"markup stays text", "<script>alert(1)</script>&amp;", "<script>alert(1)</script>&amp;"},
	{"a joiner in a Persian name passes", "می\u200cخواهم", "می\u200cخواهم"},
	{"a joiner in Sinhala passes", "ශ්\u200dරී", "ශ්\u200dරී"},
	{"direction marks pass", "\u200fדוד\u200e (x)", "\u200fדוד\u200e (x)"},
	{"a family emoji passes", "👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"},
	{"a flag in tag characters passes", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"},
	{"a variation selector passes", "❤\ufe0f", "❤\ufe0f"},
	{"stacked marks pass", "Z\u0351\u0343a", "Z\u0351\u0343a"},
	{"the replacement character itself passes", "a\ufffdb", "a\ufffdb"},
	{"an emoji younger than this program passes", "\U0001fadf", "\U0001fadf"},
	{"an Arabic number sign shows", "\u0600", "\u0600"},
	{"a private character passes", "\uf8ff", "\uf8ff"},
	{"120 characters of four bytes pass", strings.Repeat("😀", 120), strings.Repeat("😀", 120)},
	{"120 characters between white space pass", " " + strings.Repeat("é", 120) + "\n", strings.Repeat("é", 120)},

	{"an embedding around the text goes", "\u202aAda\u202c", "Ada"},
	{"an isolate and white space around the text go", " \u2068 Ada \u2069\n", "Ada"},
	{"a byte order mark in front goes", "\ufeffAda", "Ada"},
	{"half a pair at the end goes, and the space before it", "Ada \xed\xa0\xbd", "Ada"},
	{"half a pair in front goes", "\xed\xb8\x80Ada", "Ada"},
	{"all of them at both ends go", "\xed\xa0\x80\ufeff\u202e \xed\xa0\x80Ada\u2069\xed\xbf\xbf\ufeff", "Ada"},
	{"a zero-width space between Khmer words stays", "ភ្នំ\u200bពេញ", "ភ្នំ\u200bពេញ"},
	{"a zero-width space at an end stays", "Ada\u200b", "Ada\u200b"},
	{"120 characters between dropped ones pass", "\u202a" + strings.Repeat("é", 120) + "\u202c", strings.Repeat("é", 120)},

	{"direction controls alone are blank", "\u202a\u202c \ufeff", ""},
	{"half a pair alone is blank", "\xed\xbf\xbf", ""},
	{"zero-width spaces are blank", "\u200b\u200b", ""},
	{"nothing is blank", "", ""},
	{"white space is blank", " \t\r\n\u00a0\u2003\u3000", ""},
	{"joiners and direction marks are blank", "\u200c\u200d\u200e\u200f", ""},
	{"joiners among white space are blank", "\u200d \u200d", ""},
	{"many invisible characters are blank, not too long", strings.Repeat("\u200d", 500), ""},
	{"Hangul fillers are blank", "\u115f\u1160\u3164\uffa0", ""},
	{"the braille blank is blank", "\u2800", ""},
	{"variation selectors are blank", "\ufe0f\U000e0100", ""},
	{"tag characters are blank", "\U000e0001\U000e0041", ""},
	{"a soft hyphen is blank", "\u00ad", ""},
	{"marks with nothing to stand on are blank", "\u0301\u20dd", ""},
	{"an Arabic letter mark is blank", "\u061c", ""},
}

func TestTextIsKept(t *testing.T) {
	for _, tt := range keptTexts {
		t.Run(tt.name, func(t *testing.T) {
			got, broken := checkText(tt.posted)
			if broken != "" || got != tt.want {
				t.Errorf("got %q, %s; want %q", got, broken, tt.want)
			}
		})
	}
}

func TestTextIsRefused(t *testing.T) {
	tests := []struct{ name, posted, rule string }{
		{"121 characters", strings.Repeat("a", 121), "must be at most 120 characters: shorten it, it has 121"},
		{"121 characters of which one is a line end", strings.Repeat("a", 60) + "\r\n" + strings.Repeat("a", 60), "must be at most 120 characters: shorten it, it has 121"},
		{"121 characters of which most are joiners", "a" + strings.Repeat("\u200d", 119) + "a", "must be at most 120 characters: shorten it, it has 121"},
		{"half a pair", "a\xed\xa0\x80b", "must not contain half of a character: remove the lone surrogate U+D800"},
		{"the last half", "a\xed\xbf\xbfb", "must not contain half of a character: remove the lone surrogate U+DFFF"},
		{"a word joiner at the end", "Ada\u2060", "must not contain invisible characters: remove U+2060"},
		{"a control character behind what is dropped", "Ada\v\u202c", "must not contain control characters: remove U+000B"},
		{"bytes that are no text", "a\xff", "must be valid UTF-8: encode it so"},
		{"a vertical tab at the end", "Ada\v", "must not contain control characters: remove U+000B"},
		{"a next-line character at the end", "Ada\u0085", "must not contain control characters: remove U+0085"},
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		var rule string
		switch {
		case strings.ContainsRune("\t\r\n", r):
			continue
		case r < ' ', r >= 0x7f && r < 0xa0:
			rule = "must not contain control characters"
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			rule = "must not override the direction of text"
		case r >= 0x2060 && r <= 0x2064, r == 0xfeff:
			rule = "must not contain invisible characters"
		default:
			continue
		}
		code := fmt.Sprintf("%U", r)
		tests = append(tests, struct{ name, posted, rule string }{code, "a" + string(r) + "b", rule + ": remove " + code})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, field := range []string{"user_name", "offer_name", "place"} {
				_, err := New(Fields{field: tt.posted})
				var got *RuleError
				if !errors.As(err, &got) || got.Field != field || got.Rule != tt.rule {
					t.Errorf("got %v; want %s %s", err, field, tt.rule)
				}
			}
		})
	}
}

// A character that is not refused stays as it is, among others of its kind, except line ends.
func TestNoCharacterChanges(t *testing.T) {
	var text strings.Builder
	for r := rune(0); r <= unicode.MaxRune; r++ {
		char := string(r)
		if utf8.ValidRune(r) && refused(char, r) == "" && !strings.ContainsRune("\t\r\n", r) {
			text.WriteString(char)
		}
		if text.Len() < 400 && r < unicode.MaxRune {
			continue
		}
		posted := "a" + text.String() + "b"
		if got, broken := tidy(posted); got != posted || broken != "" {
			t.Fatalf("before %U: got %q, %s; want %q", r, got, broken, posted)
		}
		text.Reset()
	}
}
