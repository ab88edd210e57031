package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// json reads one JSON object (RFC 8259). encoding/json checks the syntax but does not decode: it takes the last of repeated
// names, matches names in any case, and replaces unpaired surrogates and invalid UTF-8 in silence. A byte order mark at the start is
// ignored, as section 8.1 allows.
func (in *reading) json(body []byte) error {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	switch {
	case len(body) == 0:
		return malformed("The body is empty: send a JSON object, {} at least")
	case !utf8.Valid(body):
		return malformed("The body is not valid UTF-8: encode it so")
	case !json.Valid(body): // the error names the byte, whatever stands before it
		return syntaxError(json.Unmarshal(body, new(json.RawMessage)))
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(body), // a buffer is read in place
		jsontext.AllowDuplicateNames(true), // name refuses them, with the field at fault
		jsontext.AllowInvalidUTF8(true))    // unpaired surrogates are for the rules of package signup
	if d.PeekKind() != '{' {
		return malformed("The body is no JSON object: send one, such as {\"user_name\":\"Ada\"}")
	}
	_, err := d.ReadToken()
	for err == nil && d.PeekKind() != '}' {
		err = in.member(d)
	}
	return err
}

// syntaxError returns a 400 that names the byte at fault, counted from 1, without a byte order mark.
func syntaxError(err error) *Error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return malformed("The body is not valid JSON: look at byte %d", syntax.Offset)
	}
	return malformed("The body is not valid JSON")
}

// member reads one name and its value. An unknown name may have any value: signup.New refuses the name, after the API
// key has been checked.
func (in *reading) member(d *jsontext.Decoder) error {
	quoted, err := d.ReadValue()
	if err != nil {
		return err
	}
	name := unquote(quoted)
	if err := in.name(name); err != nil {
		return err
	}
	value, err := d.ReadValue()
	switch {
	case err != nil:
		return err
	case value.Kind() == '"':
		in.fields[name] = unquote(value)
	case !known(name):
		in.fields[name] = ""
	case value.Kind() != 'n':
		return fieldError(name, "must be a JSON string, or null")
	}
	return nil
}

// pieces matches the parts of a JSON string one after the other: a surrogate pair, an unpaired surrogate (group 1), any
// other escape, or plain text.
var pieces = regexp.MustCompile(`\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u([dD][89a-fA-F]..)|\\.[^\\]*|[^\\]+`)

// unquote returns the text of a JSON string. An unpaired surrogate becomes the three bytes that signup.Fields describes.
func unquote(quoted []byte) string {
	text, err := jsontext.AppendUnquote(nil, quoted)
	if err == nil {
		return string(text)
	}
	text = nil // it has U+FFFD for each unpaired surrogate
	for _, m := range pieces.FindAllSubmatch(quoted[1:len(quoted)-1], -1) {
		if m[1] == nil {
			text, _ = jsontext.AppendUnquote(text, `"`+string(m[0])+`"`)
			continue
		}
		r, _ := strconv.ParseUint(string(m[1]), 16, 16) // four hex digits, as json.Valid has checked
		text = append(text, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
	}
	return string(text)
}
