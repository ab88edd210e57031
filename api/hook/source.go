package hook

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// source is where a value is: the first alternative that is there counts. An empty source has no value.
type source []alternative

// alternative is a path, a header or a literal.
type alternative struct {
	path    []string // of members and indexes in the JSON body
	header  string   // name
	literal string
}

const (
	headerPrefix  = "header:"
	literalPrefix = "text:"
)

// parseSource parses a path such as line_items.0.title, header:NAME, or several with | between them. What begins with text: is a literal up to
// the end. An empty text is an empty source. The error does not show the text.
func parseSource(text string) (source, error) {
	var s source
	for rest, more := text, text != ""; more; {
		if literal, found := strings.CutPrefix(strings.TrimSpace(rest), literalPrefix); found {
			if literal = strings.TrimSpace(literal); literal == "" {
				return nil, errors.New("has nothing after text:; write the text, or unset the variable")
			}
			return append(s, alternative{literal: literal}), nil
		}
		var part string
		part, rest, more = strings.Cut(rest, "|")
		a, err := parseAlternative(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("alternative %d %w", len(s)+1, err)
		}
		s = append(s, a)
	}
	return s, nil
}

func parseAlternative(text string) (alternative, error) {
	if name, found := strings.CutPrefix(text, headerPrefix); found {
		name = strings.TrimSpace(name)
		if !isHeaderName(name) {
			return alternative{}, errors.New("has no name of a header after header:; write one, such as header:X-Topic")
		}
		return alternative{header: name}, nil
	}
	path := strings.Split(text, ".")
	for _, step := range path {
		if step == "" || strings.TrimSpace(step) != step || strings.ContainsFunc(step, unicode.IsControl) {
			return alternative{}, errors.New("is not a path; write names and indexes with a dot between two, such as line_items.0.title")
		}
	}
	return alternative{path: path}, nil
}

// isHeaderName reports whether a text is a token (RFC 9110, section 5.6.2).
func isHeaderName(text string) bool {
	const token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return text != "" && strings.Trim(text, token) == ""
}

// message is a delivery whose body is valid JSON.
type message struct {
	header http.Header
	body   document
}

// text returns the first value of s in a message that is not blank; empty when there is none. Of several headers with one name the first
// counts.
func (s source) text(m message) string {
	for _, a := range s {
		text := a.literal
		switch {
		case a.header != "":
			text = m.header.Get(a.header)
		case a.path != nil:
			text = m.body.text(a.path)
		}
		if strings.TrimSpace(text) != "" {
			return text
		}
	}
	return ""
}
