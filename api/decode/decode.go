// Package decode reads the body of a posted signup, as JSON, form or multipart form, into fields. It reads strictly:
// whatever two readers could take in two ways is refused.
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

// The media types that a signup is read from.
const (
	JSON      = "application/json"
	Form      = "application/x-www-form-urlencoded"
	Multipart = "multipart/form-data"
)

// keyField is the field that holds the API key, and is no part of the signup.
const keyField = "api_key"

// Error says why a body cannot be read.
type Error struct {
	Status int    // of HTTP: 400, 408, 413 or 415
	Field  string // the field at fault, if one is; safe to repeat
	Detail string // one line for whoever sent it: what is wrong and what to do
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

// Signup reads the body of a request and nothing else of it: a query string never makes or changes a field. It
// returns every field but api_key, unknown ones included, and the value of that one, empty when it is absent. The
// error is an *Error: 415, 413 or 400, or 408 when the body did not arrive in time. What can be read but not shown is
// for signup.New to refuse, after the key has been checked.
//
// Echo's Bind and its like are not used: they read the query for form posts, take the last of repeated fields,
// ignore trailing bytes and replace invalid text in silence.
func Signup(r *http.Request) (fields signup.Fields, key string, err error) {
	media, params, err := mediaType(r.Header)
	if err != nil {
		return nil, "", err
	}
	body, err := readBody(r)
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

// mediaType returns how the body is written, or 415 for what cannot be read.
func mediaType(h http.Header) (media string, params map[string]string, err error) {
	for _, coding := range h.Values("Content-Encoding") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
			return "", nil, unsupported("Send the body without a Content-Encoding")
		}
	}
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

// readBody returns the whole body, or 413 as soon as it is known to be too long.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > MaxBody {
		return nil, tooLarge()
	}
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	var limit *http.MaxBytesError
	switch {
	case len(body) > MaxBody, errors.As(err, &limit):
		return nil, tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &Error{Status: http.StatusRequestTimeout, Detail: "The body did not arrive in time: send it again"}
	case err != nil:
		return nil, malformed("The body ended early: send it again, whole")
	}
	return body, nil
}

func tooLarge() *Error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge,
		Detail: fmt.Sprintf("Send at most %d bytes: a signup is a few short texts", MaxBody),
	}
}

func malformed(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Detail: fmt.Sprintf(format, args...)}
}

// reading collects the fields of one body, whatever its media type.
type reading struct {
	fields signup.Fields
	seen   map[string]bool // names met, those whose value was null or of no use included
}

// name notes that a field begins. It refuses the second of a name: nothing
// says which of them was meant.
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

// text keeps the value of a field whose bytes come from a form.
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

// fieldError is a 400 that names the field at fault.
func fieldError(name, what string) *Error {
	broken := signup.NewRuleError(name, what)
	return &Error{Status: http.StatusBadRequest, Field: broken.Field, Detail: broken.Error()}
}

// known reports whether a field of this name takes part in a signup.
func known(name string) bool { return name == keyField || signup.IsField(name) }
