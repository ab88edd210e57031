package hook

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// condition compares a value of a delivery, exactly, with a list of texts.
type condition struct {
	of     source
	values []string
	not    bool // the value must be none of them; a value that is absent is none
}

// parseConditions parses a list with commas of SOURCE=VALUE and SOURCE!=VALUE, where a value is one or several with | between them. White space
// around each part is dropped. An empty text is an empty list. The error does not show the text.
func parseConditions(text string) (list []condition, err error) {
	n := 0
	for part := range strings.SplitSeq(text, ",") {
		if n++; strings.TrimSpace(part) == "" {
			continue
		}
		c, err := parseCondition(part)
		if err != nil {
			return nil, fmt.Errorf("condition %d %w", n, err)
		}
		list = append(list, c)
	}
	if list == nil && text != "" {
		return nil, errors.New("nothing but commas; unset the variable")
	}
	return list, nil
}

func parseCondition(text string) (c condition, err error) {
	left, right, found := strings.Cut(text, "=")
	if !found {
		return c, errors.New("has no =; write a path and a value, such as status=completed")
	}
	left, c.not = strings.CutSuffix(left, "!")
	c.of, err = parseSource(strings.TrimSpace(left))
	switch {
	case err != nil:
		return c, err
	case len(c.of) == 0:
		return c, errors.New("has nothing before the =; write a path or header:NAME")
	case c.of[len(c.of)-1].literal != "":
		return c, errors.New("compares a text; write a path or header:NAME before the =")
	}
	for value := range strings.SplitSeq(right, "|") {
		if value = strings.TrimSpace(value); value == "" {
			return c, errors.New("has an empty value after the =; write what it must be")
		}
		c.values = append(c.values, value)
	}
	return c, nil
}

func (c condition) holds(m message) bool {
	value := c.of.text(m)
	return (value != "" && slices.Contains(c.values, value)) != c.not
}

// allHold reports whether every condition holds.
func allHold(list []condition, m message) bool {
	return !slices.ContainsFunc(list, func(c condition) bool { return !c.holds(m) })
}
