package hook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep arrays and objects of a body may be nested. Senders' bodies are less than 20 deep.
const maxDepth = 100

// document is a JSON object or array (RFC 8259), at most maxDepth deep and without repeated names.
type document []byte

// UnreadableError says why a body cannot be read. It has nothing of the body.
type UnreadableError struct{ Detail string }

// Error returns the detail.
func (e *UnreadableError) Error() string { return e.Detail }

func unreadable(format string, args ...any) error {
	return &UnreadableError{fmt.Sprintf(format, args...)}
}

// parseDocument checks a body. A byte order mark at the start is ignored, as section 8.1 of RFC 8259 allows. The error is an *UnreadableError.
func parseDocument(body []byte) (document, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !utf8.Valid(body) {
		return nil, unreadable("The body is not valid UTF-8: send JSON")
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(body), // a buffer is read in place
		jsontext.AllowInvalidUTF8(true)) // unpaired surrogates are for the rules of package signup
	if kind := d.PeekKind(); kind != '{' && kind != '[' {
		return nil, unreadable("The body is no JSON object: let the sender send JSON")
	}
	for {
		if _, err := d.ReadToken(); err != nil {
			return nil, invalidJSON(err)
		}
		switch depth := d.StackDepth(); {
		case depth > maxDepth:
			return nil, unreadable("The body is nested too deeply: at most %d levels are read", maxDepth)
		case depth > 0:
			continue
		}
		if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
			return nil, unreadable("The body has bytes after its JSON: send one object")
		}
		return body, nil
	}
}

// invalidJSON names the byte at fault, counted from 1.
func invalidJSON(err error) error {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return unreadable("The body is not valid JSON: look at byte %d", syntax.ByteOffset+1)
	}
	return unreadable("The body is not valid JSON: let the sender send JSON")
}

// text returns the value at a path: a string, or a number, true or false as it is written. Anything else is empty: null, an object, an array, or
// nothing. A lone surrogate is the three bytes that signup.Fields describes.
func (doc document) text(path []string) string {
	d := jsontext.NewDecoder(bytes.NewBuffer(doc), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for _, step := range path {
		if !enter(d, step) {
			return ""
		}
	}
	value, err := d.ReadValue()
	if err != nil {
		return ""
	}
	switch value.Kind() {
	case '"':
		return unquote(value)
	case '0', 't', 'f':
		return string(value)
	}
	return ""
}

// enter moves to the member or element of the next value that a step names, and reports whether there is one.
func enter(d *jsontext.Decoder, step string) bool {
	kind := d.PeekKind()
	if kind != '{' && kind != '[' {
		return false
	}
	index, err := strconv.Atoi(step)
	if kind == '[' && (err != nil || strconv.Itoa(index) != step) {
		return false
	}
	d.ReadToken()
	for d.PeekKind() != '}' && d.PeekKind() != ']' {
		if kind == '[' {
			if index == 0 {
				return true
			}
			index--
		} else if name, err := d.ReadToken(); err != nil || name.String() == step {
			return err == nil
		}
		if d.SkipValue() != nil {
			return false
		}
	}
	return false
}

// unquote returns the text of a JSON string.
func unquote(quoted []byte) string {
	text, err := jsontext.AppendUnquote(nil, quoted)
	if err == nil {
		return string(text)
	}
	const loneSurrogate = "\xED\xA0\x80"
	return strings.ReplaceAll(string(text), "\uFFFD", loneSurrogate) // AppendUnquote has written U+FFFD for it
}

// jsonIn returns the JSON of a body. GitHub can send it as the field payload of a form.
func (h *Hook) jsonIn(header http.Header, body []byte) []byte {
	media, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if h.from != "github" || media != "application/x-www-form-urlencoded" {
		return body
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || !form.Has("payload") {
		return body
	}
	return []byte(form.Get("payload"))
}
