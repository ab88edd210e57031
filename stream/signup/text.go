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

// Shorten returns what New keeps at the ends of a text, and of that at most as many characters as a field may have.
func Shorten(posted string) string {
	text, n := trim(posted), 0
	for i := range text {
		if n++; n > maxText {
			return text[:i]
		}
	}
	return text
}

// tidy replaces tabs and line ends by spaces, and trims both ends. It refuses characters that could mislead a visitor or break a line.
func tidy(posted string) (text, broken string) {
	text = trim(posted)
	for i, r := range text {
		if what := refused(text[i:], r); what != "" {
			return "", what
		}
	}
	if strings.ContainsAny(text, "\r\n\t") { // Replace would copy the others, too
		text = lineEnds.Replace(text)
	}
	return text, ""
}

var lineEnds = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ")

// trim removes white space from both ends of a text, and what phones, spreadsheets and a cut between two halves leave there: direction
// controls, byte order marks and lone surrogates. Other control characters stay, to be refused.
func trim(text string) string {
	for {
		kept := strings.TrimFunc(text, func(r rune) bool {
			return unicode.IsSpace(r) && !unicode.IsControl(r) || isTabOrLineEnd(r) || isDirectionControl(r) || r == byteOrderMark
		})
		if _, found := surrogate(kept); found {
			kept = kept[3:]
		}
		if _, found := surrogate(kept[max(0, len(kept)-3):]); found {
			kept = kept[:len(kept)-3]
		}
		if kept == text {
			return text
		}
		text = kept
	}
}

// byteOrderMark is U+FEFF. Within a text it is an invisible character.
const byteOrderMark = '\uFEFF'

func isTabOrLineEnd(r rune) bool { return r == '\t' || r == '\r' || r == '\n' }

// isDirectionControl reports whether r begins or ends a bidirectional embedding, override or isolate (UAX #9).
func isDirectionControl(r rune) bool { return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 }

// refused says why the character r, at the start of rest, must not be within a text.
func refused(rest string, r rune) string {
	switch {
	case r == utf8.RuneError:
		return refusedBytes(rest)
	case isTabOrLineEnd(r):
		return ""
	case unicode.IsControl(r):
		return fmt.Sprintf("must not contain control characters: remove %U", r)
	case isDirectionControl(r):
		return fmt.Sprintf("must not override the direction of text: remove %U", r)
	case r >= 0x2060 && r <= 0x2064 || r == byteOrderMark:
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
	if half, found := surrogate(rest); found {
		return fmt.Sprintf("must not contain half of a character: remove the lone surrogate %U", half)
	}
	return "must be valid UTF-8: encode it so"
}

// surrogate returns the lone surrogate with which text begins: see Fields.
func surrogate(text string) (half rune, found bool) {
	if len(text) < 3 || text[0] != 0xED || text[1]&0xE0 != 0xA0 || text[2]&0xC0 != 0x80 {
		return 0, false
	}
	return 0xD000 | rune(text[1]&0x3F)<<6 | rune(text[2]&0x3F), true
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
