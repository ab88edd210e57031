package api

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

// maxBody is the longest body of a posted signup, in bytes.
const maxBody = 16 << 10

// post is a signup as it was sent: read, but not yet checked.
type post struct {
	fields signup.Fields // every field but api_key, unknown ones included
	key    string        // the field api_key; empty when absent
}

// decodeSignup reads the body of a request and nothing else of it: a query string never makes or
// changes a field. The error is a *Problem: 415, 413 or 400 (408 when the body did not come in
// time). What can be read but not shown, unknown fields included, is for signup.New to
// refuse, after the key has been checked.
//
// Echo's Bind is not used: it reads the query for form posts, takes the last of repeated fields,
// ignores trailing bytes and replaces invalid text in silence.
func decodeSignup(r *http.Request) (post, error) {
	media, params, err := mediaType(r.Header)
	if err != nil {
		return post{}, err
	}
	body, err := readBody(r)
	if err != nil {
		return post{}, err
	}
	into := reading{fields: signup.Fields{}}
	switch media {
	case mediaJSON:
		err = into.json(body)
	case mediaForm:
		err = into.form(string(body))
	case mediaMultipart:
		err = into.multipart(body, params["boundary"])
	}
	if err != nil {
		return post{}, err
	}
	key := into.fields[keyField]
	delete(into.fields, keyField)
	return post{fields: into.fields, key: key}, nil
}

const (
	mediaJSON      = "application/json"
	mediaForm      = "application/x-www-form-urlencoded"
	mediaMultipart = "multipart/form-data"

	keyField = "api_key"
)

// mediaType returns how the body is written, or 415 for what cannot be read.
func mediaType(h http.Header) (media string, params map[string]string, err error) {
	for _, coding := range h.Values("Content-Encoding") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
			return "", nil, unsupported("Send the body without a Content-Encoding")
		}
	}
	const usage = "Send the signup as " + mediaJSON + ", " + mediaForm + " or " + mediaMultipart + ", and say so in one Content-Type"
	types := h.Values("Content-Type")
	if len(types) != 1 {
		return "", nil, unsupported(usage)
	}
	media, params, err = mime.ParseMediaType(types[0])
	if err != nil || media != mediaJSON && media != mediaForm && media != mediaMultipart {
		return "", nil, unsupported(usage)
	}
	if charset, given := params["charset"]; given && !isUTF8(charset) {
		return "", nil, unsupported("Send the body in the charset utf-8")
	}
	return media, params, nil
}

func unsupported(detail string) *Problem {
	return &Problem{Status: http.StatusUnsupportedMediaType, Detail: detail}
}

func isUTF8(charset string) bool {
	return strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

// readBody returns the whole body, or 413 as soon as it is known to be too long.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, tooLarge()
	}
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	var limit *http.MaxBytesError
	switch {
	case len(body) > maxBody, errors.As(err, &limit):
		return nil, tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &Problem{Status: http.StatusRequestTimeout, Detail: "The body did not arrive in time: send it again"}
	case err != nil:
		return nil, malformed("The body ended early: send it again, whole")
	}
	return body, nil
}

func tooLarge() *Problem {
	return &Problem{
		Status: http.StatusRequestEntityTooLarge,
		Detail: fmt.Sprintf("Send at most %d bytes: a signup is a few short texts", maxBody),
	}
}

func malformed(format string, args ...any) *Problem {
	return &Problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf(format, args...)}
}

// reading collects the fields of one body, whatever its media type.
type reading struct {
	fields signup.Fields
	seen   map[string]bool // names met, those whose value was null or of no use included
}

// name notes that a field begins. It refuses the second of a name: which of them was meant is not
// ours to guess.
func (in *reading) name(name string) error {
	if in.seen[name] {
		return fieldProblem(name, "is given more than once: send it once")
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
		return fieldProblem(name, "is not valid UTF-8: encode it so")
	}
	in.fields[name] = value
	return nil
}

// fieldProblem is a 400 that names the field at fault.
func fieldProblem(name, what string) *Problem {
	broken := signup.NewRuleError(name, what)
	return &Problem{Status: http.StatusBadRequest, Field: broken.Field, Detail: broken.Error()}
}

// known reports whether a field of this name takes part in a signup.
func known(name string) bool { return name == keyField || signup.IsField(name) }
