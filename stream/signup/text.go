package signup

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the longest text of a field, in code points.
const maxText = 120

// checkText returns the text as the page shows it, or which rule it breaks. A text without a visible character becomes empty.
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

// tidy replaces tabs and line ends by spaces, and trims white space at both ends. It refuses characters that could mislead a visitor or break
// a line.
func tidy(posted string) (text, broken string) {
	for i, r := range posted {
		if what := refused(posted[i:], r); what != "" {
			return "", what
		}
	}
	if strings.ContainsAny(posted, "\r\n\t") { // Replace would copy the others, too
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

// refusedBytes says why text at the start of rest, which Go decodes to U+FFFD, must not be in a text: it is a lone surrogate (see
// Fields), or not UTF-8. The character U+FFFD itself is allowed.
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

// visible reports whether a character by itself can be seen on the page. White space, combining marks, what Unicode calls ignorable by default
// (joiners, direction marks, variation selectors, tags, Hangul fillers, soft hyphen) and the few characters with an empty glyph cannot. A
// character that this version of Unicode does not know counts as visible: it may be a new emoji.
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
