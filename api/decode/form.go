package decode

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"unicode/utf8"
)

// form reads application/x-www-form-urlencoded (WHATWG URL section 5.1). Unlike that text it refuses an invalid escape, which
// shows that the sender does not encode its values, and JSON under the media type that many clients send by default.
func (in *reading) form(body string) error {
	if looksLikeJSON(body) {
		return malformed("The body looks like JSON, but is sent as a form: send Content-Type: application/json")
	}
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		left, right, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(left)
		if err != nil {
			return malformed("A field's name has a %% that two hex digits do not follow: percent-encode the form")
		}
		value, err := url.QueryUnescape(right)
		if err != nil {
			return fieldError(name, "has a % that two hex digits do not follow: percent-encode the form")
		}
		if err := in.text(name, value); err != nil {
			return err
		}
	}
	return nil
}

// looksLikeJSON reports whether a form begins like a JSON object or array, percent-encoded or not. No field of a signup begins so.
func looksLikeJSON(body string) bool {
	start := strings.TrimLeft(strings.TrimPrefix(body, "\ufeff"), " \t\r\n+")
	if decoded, err := url.PathUnescape(start[:min(len(start), 3)]); err == nil {
		start = decoded
	}
	return strings.HasPrefix(start, "{") || strings.HasPrefix(start, "[")
}

// multipart reads multipart/form-data (RFC 7578). A file is refused where a signup has a text.
func (in *reading) multipart(body []byte, boundary string) error {
	if boundary == "" {
		return malformed("The Content-Type has no usable boundary: let your HTTP client write it")
	}
	if len(body) == 0 {
		return nil
	}
	if !enclosed(body, boundary) {
		return malformed("The form does not begin and end with its boundary: let your HTTP client write it")
	}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return brokenParts
		}
		if err := in.part(part); err != nil {
			return err
		}
	}
}

var brokenParts = malformed("The form's parts are malformed: let your HTTP client write them")

// enclosed reports whether a body starts with its delimiter and ends with the first closing one, apart from white space.
// mime/multipart ignores what is before or after, which could be a repeated field.
func enclosed(body []byte, boundary string) bool {
	body = bytes.TrimSpace(body)
	if !bytes.HasPrefix(body, []byte("--"+boundary)) {
		return false
	}
	closing := []byte("\n--" + boundary + "--")
	_, after, found := bytes.Cut(append([]byte("\n"), body...), closing)
	return found && len(after) == 0
}

// part reads one field. The error is a 400.
func (in *reading) part(part *multipart.Part) error {
	disposition, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	name, named := params["name"]
	if err != nil || disposition != "form-data" || !named {
		return malformed("A part of the form has no name: write Content-Disposition: form-data; name=\"user_name\"")
	}
	value, err := io.ReadAll(part)
	if err != nil {
		return brokenParts
	}
	if _, file := params["filename"]; file {
		if known(name) {
			return fieldError(name, "must be a text, not a file")
		}
		value = nil
	}
	if err := in.text(name, string(value)); err != nil || !known(name) {
		return err
	}
	return encodedPart(part, name, value)
}

// encodedPart returns a 400 for a part whose header says that its bytes are not its text in UTF-8.
func encodedPart(part *multipart.Part, name string, value []byte) error {
	switch strings.ToLower(part.Header.Get("Content-Transfer-Encoding")) {
	case "", "7bit", "8bit", "binary":
	default:
		return fieldError(name, "has a Content-Transfer-Encoding: send its text as it is")
	}
	_, params, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
	charset, given := params["charset"]
	ascii := !bytes.ContainsFunc(value, func(r rune) bool { return r >= utf8.RuneSelf })
	if given && !isUTF8(charset) && !ascii {
		return fieldError(name, "is in another charset: send it in utf-8")
	}
	return nil
}
