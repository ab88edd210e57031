// Package decode reads the body of a posted signup, as JSON, form or multipart form, into fields. It is strict: a body that two
// parsers could read differently is refused.
package decode

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"

	"proofstream/stream/signup"
)

// MaxBody is the longest body of a posted signup, in bytes.
const MaxBody = 16 << 10

// JSON is the media type of a signup as one JSON object (RFC 8259).
const JSON = "application/json"

// Form is the media type of a signup as an HTML form sends it (WHATWG URL section 5).
const Form = "application/x-www-form-urlencoded"

// Multipart is the media type of a signup as an HTML form with enctype sends it (RFC 7578).
const Multipart = "multipart/form-data"

// keyField is the field that holds the API key. It is not part of the signup.
const keyField = "api_key"

// Error is why a body cannot be read.
type Error struct {
	Status int    // of HTTP: 400, 408, 413 or 415
	Field  string // the field of a signup, or api_key, that is wrong, if one is
	Rule   string // the rest of a sentence that starts with the field's name; empty without Field
	Detail string // one line for the sender: what is wrong and what to do. It has nothing that was posted.
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

// Signup reads the body of a request, at most MaxBody bytes, and not its query. It returns all fields except api_key, also
// unknown ones, and the value of api_key, empty when it is absent. The error is an *Error: 415, 413 or 400, or 408 when the
// body did not arrive in time. The rules of a signup are not checked: signup.New does that, after the key has been checked.
//
// Echo's Bind is not used, since it reads the query for form posts, takes the last of repeated fields, ignores trailing bytes
// and replaces invalid text in silence.
func Signup(r *http.Request) (fields signup.Fields, key string, err error) {
	media, params, err := mediaType(r.Header)
	if err != nil {
		return nil, "", err
	}
	body, err := Body(r, MaxBody, fmt.Sprintf("Send at most %d bytes: a signup is a few short texts", MaxBody))
	if err != nil {
		return nil, "", err
	}
	into := reading{fields: signup.Fields{}}
	switch media {
	case JSON:
		err = into.json(body)
	case Form:
		err = into.form(string(body))
	case Multipart:
		err = into.multipart(body, params["boundary"])
	}
	if err != nil {
		return nil, "", err
	}
	key = into.fields[keyField]
	delete(into.fields, keyField)
	return into.fields, key, nil
}

// mediaType returns the media type of the body and its parameters, or a 415.
func mediaType(h http.Header) (media string, params map[string]string, err error) {
	const usage = "Send the signup as " + JSON + ", " + Form + " or " + Multipart + ", and say so in one Content-Type"
	types := h.Values("Content-Type")
	if len(types) != 1 {
		return "", nil, unsupported(usage)
	}
	media, params, err = mime.ParseMediaType(types[0])
	if err != nil || media != JSON && media != Form && media != Multipart {
		return "", nil, unsupported(usage)
	}
	if charset, given := params["charset"]; given && !isUTF8(charset) {
		return "", nil, unsupported("Send the body in the charset utf-8")
	}
	return media, params, nil
}

func unsupported(detail string) *Error {
	return &Error{Status: http.StatusUnsupportedMediaType, Detail: detail}
}

func isUTF8(charset string) bool {
	return strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

// Body returns the whole body of a request, at most as many bytes as said. The error is an *Error: a 415 for a body with a Content-Encoding, a 413
// with the detail tooLong as soon as the body is known to be too long, a 408 or a 400.
func Body(r *http.Request, most int64, tooLong string) ([]byte, error) {
	for _, coding := range r.Header.Values("Content-Encoding") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
			return nil, unsupported("Send the body without a Content-Encoding")
		}
	}
	tooLarge := &Error{Status: http.StatusRequestEntityTooLarge, Detail: tooLong}
	if r.ContentLength > most {
		return nil, tooLarge
	}
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	var limit *http.MaxBytesError
	switch {
	case int64(len(body)) > most, errors.As(err, &limit):
		return nil, tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &Error{Status: http.StatusRequestTimeout, Detail: "The body did not arrive in time: send it again"}
	case err != nil:
		return nil, malformed("The body ended early: send it again, whole")
	}
	return body, nil
}

func malformed(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Detail: fmt.Sprintf(format, args...)}
}

// reading collects the fields of one body.
type reading struct {
	fields signup.Fields
	seen   map[string]bool // all names so far, also those whose value is null
}

// name records the name of a field. The error is a 400 for a name that was recorded before: nothing shows which of the two
// was meant.
func (in *reading) name(name string) error {
	if in.seen[name] {
		return fieldError(name, "is given more than once: send it once")
	}
	if in.seen == nil {
		in.seen = map[string]bool{}
	}
	in.seen[name] = true
	return nil
}

// text records a field of a form. The error is a 400 for a repeated name or invalid UTF-8.
func (in *reading) text(name, value string) error {
	if !utf8.ValidString(name) {
		return malformed("A field's name is not valid UTF-8: encode it so")
	}
	if err := in.name(name); err != nil {
		return err
	}
	if !utf8.ValidString(value) {
		return fieldError(name, "is not valid UTF-8: encode it so")
	}
	in.fields[name] = value
	return nil
}

// fieldError returns a 400 that names a field, if a signup has it. Other names are not repeated, since the key has not been checked yet: a name
// may be a key.
func fieldError(name, what string) *Error {
	if !known(name) {
		return malformed("A field that a signup does not have %s", what)
	}
	return &Error{Status: http.StatusBadRequest, Field: name, Rule: what, Detail: name + " " + what}
}

// known reports whether a signup may have a field of this name.
func known(name string) bool { return name == keyField || signup.IsField(name) }
