package signup

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Fields is a signup as it was posted: the text of each field by the field's name. An absent field and an empty one mean the same. A text is
// UTF-8, except that a lone surrogate, which JSON can contain as \ud800, is the three bytes that UTF-8 would have for it. New then drops the
// surrogate at an end of a text and refuses it within, instead of a silent replacement by the decoder.
type Fields map[string]string

// Signup is a signup whose texts New has checked, so that every visitor may see them.
type Signup struct {
	UserName  string // 1 to 120 characters
	OfferName string // 1 to 120 characters
	ImgPath   string // "default", or a path or an https URL of at most 2,048 bytes, which the page requests
	Place     string // at most 120 characters; empty when not given
	URL       string // path or https URL of at most 2,048 bytes, to which a click leads; empty when not given
	Kind      string // 1 to 32 of a-z, 0-9 and -; empty when not given, which means "signup"

	UserNameBlank  bool // the backend gave no name: UserName is the default
	OfferNameBlank bool // the backend gave no offer: OfferName is the default
}

// defaultKind is the kind of a signup that names none. It is never stored: New leaves it out.
const defaultKind = "signup"

// fieldNames are the fields that New knows, in the order in which they are checked.
var fieldNames = []string{"user_name", "offer_name", "img_path", "place", "url", "kind"}

// IsField reports whether a signup has a field of this name.
func IsField(name string) bool { return slices.Contains(fieldNames, name) }

// New checks a signup and sets the defaults of missing texts. Characters are Unicode code points. The error is a *RuleError: for the first
// unknown field in byte order, or else for the first field that breaks a rule.
func New(posted Fields) (Signup, error) {
	if name, found := posted.unknown(); found {
		return Signup{}, unknownField(name)
	}
	var s Signup
	for _, f := range []struct {
		name  string
		to    *string
		check func(string) (string, string)
	}{
		{"user_name", &s.UserName, checkText},
		{"offer_name", &s.OfferName, checkText},
		{"img_path", &s.ImgPath, checkImage},
		{"place", &s.Place, checkText},
		{"url", &s.URL, checkLink},
		{"kind", &s.Kind, checkKind},
	} {
		value, broken := f.check(posted[f.name])
		if broken != "" {
			return Signup{}, &RuleError{Field: f.name, Rule: broken}
		}
		*f.to = value
	}
	s.setDefaults()
	return s, nil
}

// setDefaults replaces the empty texts that every event has.
func (s *Signup) setDefaults() {
	if s.UserName == "" {
		s.UserName, s.UserNameBlank = "someone", true
	}
	if s.OfferName == "" {
		s.OfferName, s.OfferNameBlank = "one of our partners", true
	}
	if s.ImgPath == "" {
		s.ImgPath = "default"
	}
	if s.Kind == defaultKind {
		s.Kind = ""
	}
}

// unknown returns the first name, in byte order, that is not a field of a signup.
func (f Fields) unknown() (name string, found bool) {
	for n := range f {
		if !IsField(n) && (!found || n < name) {
			name, found = n, true
		}
	}
	return name, found
}

// RuleError says which field of a signup is refused, and what the sender can do about it.
type RuleError struct {
	Field string // its name as posted, at most 64 printable characters and an ellipsis
	Rule  string // the rest of a sentence that starts with the field's name
}

// Error returns one line of printable text.
func (e *RuleError) Error() string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	if e.Field != "" && strings.Trim(e.Field, plain) == "" {
		return e.Field + " " + e.Rule
	}
	return strconv.Quote(e.Field) + " " + e.Rule
}

// NewRuleError returns a RuleError about a field with any name, which it makes printable.
func NewRuleError(field, rule string) *RuleError {
	return &RuleError{Field: printable(field), Rule: rule}
}

// unknownField returns the error about a name that is not a field. It suggests a field that differs only in case or separators.
func unknownField(name string) *RuleError {
	fields := append([]string{"api_key"}, fieldNames...)
	letters := strings.NewReplacer("_", "", "-", "", " ", "").Replace
	for _, field := range fields {
		if strings.EqualFold(letters(name), letters(field)) {
			return NewRuleError(name, "is not a field of a signup: write "+field)
		}
	}
	return NewRuleError(name, "is not a field of a signup: there are "+strings.Join(fields, ", "))
}

// printable returns the name of a field in a form that is safe in a response and in a log line: at most 64 characters, with U+FFFD for each
// that is not printable. It ends before the first character that separates names and values: a JSON body that was posted as a form is one
// long name, which holds the API key.
func printable(name string) string {
	const limit = 64
	var b strings.Builder
	n := 0
	for _, r := range name {
		if n++; n > limit || strings.ContainsRune(`{}":=&,;`, r) {
			b.WriteString("…")
			break
		}
		if !strconv.IsPrint(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return b.String()
}
