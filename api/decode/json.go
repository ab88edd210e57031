package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// json reads one JSON object. The standard decoder checks the syntax only: it takes
// the last of repeated members, matches names in any case, and replaces lone surrogates and invalid
// UTF-8 in silence. So the members are walked here, over text whose syntax is known to be right.
func (in *reading) json(body []byte) error {
	if len(body) == 0 {
		return malformed("The body is empty: send a JSON object, {} at least")
	}
	if bytes.HasPrefix(body, []byte("\ufeff")) {
		return malformed("The body begins with a byte order mark: send the JSON without it")
	}
	if !utf8.Valid(body) {
		return malformed("The body is not valid UTF-8: encode it so")
	}
	if !json.Valid(body) {
		return syntaxError(json.Unmarshal(body, new(json.RawMessage)))
	}
	w := walker{text: strings.TrimSpace(string(body))}
	if w.text[0] != '{' {
		return malformed("The body is no JSON object: send one, such as {\"user_name\":\"Ada\"}")
	}
	for w.at++; w.next() != '}'; {
		name := w.string()
		w.next() // the colon is skipped like a comma
		if err := in.member(name, &w); err != nil {
			return err
		}
	}
	return nil
}

// syntaxError tells where the JSON goes wrong, in our words.
func syntaxError(err error) *Error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return malformed("The body is not valid JSON: look at byte %d", syntax.Offset)
	}
	return malformed("The body is not valid JSON")
}

// member reads the value of one member. Whatever an unknown one holds is skipped: its name is
// checked later.
func (in *reading) member(name string, w *walker) error {
	if err := in.name(name); err != nil {
		return err
	}
	switch first := w.text[w.at]; {
	case first == '"':
		in.fields[name] = w.string()
	case !known(name):
		w.skip()
		in.fields[name] = ""
	case first == 'n':
		w.skip()
	default:
		return fieldError(name, "must be a JSON string, or null")
	}
	return nil
}

// walker moves through JSON whose syntax has been checked.
type walker struct {
	text string
	at   int
}

// next moves to the first byte of the next name, value or closing brace, and returns it.
func (w *walker) next() byte {
	for isSpace(w.text[w.at]) || w.text[w.at] == ',' || w.text[w.at] == ':' {
		w.at++
	}
	return w.text[w.at]
}

// skip moves past a value. Depth is counted, not recursed into.
func (w *walker) skip() {
	for depth := 0; ; {
		switch w.text[w.at] {
		case '"':
			w.string()
		case '{', '[':
			depth++
			w.at++
		case '}', ']':
			depth--
			w.at++
		default:
			w.at++
		}
		if depth == 0 && ends(w.text[w.at]) {
			return
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// ends reports whether a byte can follow a member's value.
func ends(c byte) bool { return isSpace(c) || c == ',' || c == '}' }

// string reads the string that begins here and moves past it. A lone surrogate becomes the three
// bytes that signup.Fields describes.
func (w *walker) string() string {
	w.at++
	start := w.at
	for w.text[w.at] != '"' && w.text[w.at] != '\\' {
		w.at++
	}
	if w.text[w.at] == '"' {
		w.at++
		return w.text[start : w.at-1]
	}
	b := []byte(w.text[start:w.at])
	for {
		switch c := w.text[w.at]; c {
		case '"':
			w.at++
			return string(b)
		case '\\':
			b = w.escape(b)
		default:
			b = append(b, c)
			w.at++
		}
	}
}

// escape appends what the escape sequence at w.at means and moves past it.
func (w *walker) escape(b []byte) []byte {
	c := w.text[w.at+1]
	if c != 'u' {
		w.at += 2
		return append(b, unescaped[c])
	}
	r := w.unit()
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(b, r)
	}
	if ahead := *w; ahead.text[ahead.at] == '\\' && ahead.text[ahead.at+1] == 'u' {
		if pair := utf16.DecodeRune(r, ahead.unit()); pair != utf8.RuneError {
			*w = ahead
			return utf8.AppendRune(b, pair)
		}
	}
	return append(b, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
}

var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unit reads one \uXXXX.
func (w *walker) unit() rune {
	n, _ := strconv.ParseUint(w.text[w.at+2:w.at+6], 16, 16) // four hex digits, as was checked
	w.at += 6
	return rune(n)
}
