package signup

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the longest text of a field, in code points.
const maxText = 120

// checkText returns the text as it will be shown, or which rule it breaks. A text without a
// visible character comes back empty.
func checkText(posted string) (text, broken string) {
	text, broken = tidy(posted)
	if broken != "" {
		return "", broken
	}
	if !strings.ContainsFunc(text, visible) {
		return "", ""
	}
	if n := utf8.RuneCountInString(text); n > maxText {
		return "", fmt.Sprintf("must be at most %d characters: shorten it, it has %d", maxText, n)
	}
	return text, ""
}

// tidy makes tabs and line ends spaces, and trims white space at both ends. It refuses characters
// that would mislead a reader or break a line.
func tidy(posted string) (text, broken string) {
	for i, r := range posted {
		if what := refused(posted[i:], r); what != "" {
			return "", what
		}
	}
	if strings.ContainsAny(posted, "\r\n\t") { // hardly ever, and replacing costs a copy
		posted = lineEnds.Replace(posted)
	}
	return strings.TrimSpace(posted), ""
}

var lineEnds = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ")

// refused says why the character r, at the start of rest, must not be in a text.
func refused(rest string, r rune) string {
	switch {
	case r == utf8.RuneError:
		return refusedBytes(rest)
	case r == '\t' || r == '\r' || r == '\n':
		return ""
	case unicode.IsControl(r):
		return fmt.Sprintf("must not contain control characters: remove %U", r)
	case r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069:
		return fmt.Sprintf("must not override the direction of text: remove %U", r)
	case r == 0x200B || r >= 0x2060 && r <= 0x2064 || r == 0xFEFF:
		return fmt.Sprintf("must not contain invisible characters: remove %U", r)
	}
	return ""
}

// refusedBytes judges what Go decodes to U+FFFD: that character itself, which is a text like any
// other, a lone surrogate (see Fields), or bytes that are not UTF-8.
func refusedBytes(rest string) string {
	if _, size := utf8.DecodeRuneInString(rest); size > 1 {
		return ""
	}
	if len(rest) >= 3 && rest[0] == 0xED && rest[1]&0xE0 == 0xA0 && rest[2]&0xC0 == 0x80 {
		half := 0xD000 | rune(rest[1]&0x3F)<<6 | rune(rest[2]&0x3F)
		return fmt.Sprintf("must not contain half of a character: remove the lone surrogate %U", half)
	}
	return "must be valid UTF-8: encode it so"
}

// visible reports whether a character leaves a mark of its own on the page. Not visible are white
// space, combining marks (with nothing to combine with), whatever Unicode calls ignorable by
// default (joiners, direction marks, variation selectors, tags, Hangul fillers, soft hyphen) and
// the few that are drawn as nothing. What this version of Unicode does not know yet is visible:
// it may be a new emoji.
func visible(r rune) bool {
	switch r {
	case 0x2800, // braille pattern blank
		0x1D159,          // musical symbol null notehead
		0x13441, 0x13442: // Egyptian hieroglyph blanks
		return false
	}
	if unicode.Is(unicode.Prepended_Concatenation_Mark, r) {
		return true
	}
	return !unicode.In(r, unicode.Z, unicode.M, unicode.Cc, unicode.Cf,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point)
}
