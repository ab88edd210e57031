package main

import (
	"bytes"
	"errors"
	"strconv"
)

// head has the parts of an HTTP/1.1 response head that loadgen uses.
type head struct {
	status  int
	chunked bool
	length  int // of the body in bytes; -1: unknown
}

// maxHead is the largest response head in bytes.
const maxHead = 64 << 10

var errNotHTTP = errors.New("the response is not HTTP/1.1")

// parseHead parses the response head at the start of b and returns the bytes after it. ok is false
// while the head is incomplete. A head of more than maxHead bytes is an error.
func parseHead(b []byte) (h head, body []byte, ok bool, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > maxHead {
			return h, nil, false, errNotHTTP
		}
		return h, nil, false, nil
	}
	lines := b[:end]
	first, lines, _ := bytes.Cut(lines, []byte("\r\n"))
	if len(first) < 12 || !bytes.HasPrefix(first, []byte("HTTP/1.")) {
		return h, nil, false, errNotHTTP
	}
	h.length = -1
	if h.status, err = strconv.Atoi(string(first[9:12])); err != nil {
		return h, nil, false, errNotHTTP
	}
	for len(lines) > 0 {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte("\r\n"))
		h.header(line)
	}
	return h, b[end+4:], true, nil
}

func (h *head) header(line []byte) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch {
	case equalFold(name, "transfer-encoding"):
		h.chunked = equalFold(bytes.TrimSpace(value), "chunked")
	case equalFold(name, "content-length"):
		if n, err := strconv.Atoi(string(bytes.TrimSpace(value))); err == nil {
			h.length = n
		}
	}
}

// body decodes the body that starts in b. whole is false while it is incomplete. text is that of a response.
func (h head) body(b []byte) (text string, whole bool, err error) {
	if !h.chunked {
		if h.length < 0 {
			return "", false, errNotHTTP
		}
		return h.short(b), len(b) >= h.length, nil
	}
	var all []byte
	for d := (dechunker{}); len(b) > 0; {
		var piece []byte
		if piece, b, err = d.next(b); err != nil {
			return "", false, err
		}
		all = append(all, piece...)
		whole = d.state == chunkLast
	}
	return h.short(all), whole, nil
}

// maxShort is how much of a body an error message has at most, in bytes.
const maxShort = 200

// short returns the start of a body as one line for an error message, and "" for status 200.
func (h head) short(b []byte) string {
	if h.status == 200 {
		return ""
	}
	return string(bytes.Join(bytes.Fields(b[:min(len(b), maxShort)]), []byte{' '}))
}

func equalFold(b []byte, s string) bool {
	return len(b) == len(s) && bytes.EqualFold(b, []byte(s))
}
