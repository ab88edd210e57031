package signup

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Fields is a signup as it was posted: each text by the name of its field. An absent field and an
// empty one mean the same. A text is UTF-8, except that a lone surrogate (which JSON can spell,
// \ud800) stands as the three bytes that UTF-8 would give it, so that it is refused here by name
// instead of being replaced in silence.
type Fields map[string]string

// Signup is what may be shown to strangers: New has checked every text of it.
type Signup struct {
	UserName  string
	OfferName string
	ImgPath   string // "default", a path or an https URL, to be requested by the page
	Place     string // empty when not given
	URL       string // path or https URL that a click leads to; empty when not given
}

// fieldNames are the fields that New knows, in the order in which they are checked.
var fieldNames = []string{"user_name", "offer_name", "img_path", "place", "url"}

// IsField reports whether a signup has a field of this name.
func IsField(name string) bool { return slices.Contains(fieldNames, name) }

// New checks what was posted and fills in what is missing. The error is a *RuleError for the
// first thing that is wrong: an unknown field, then a broken rule.
func New(posted Fields) (Signup, error) {
	if name, found := posted.unknown(); found {
		return Signup{}, unknownField(name)
	}
	var s Signup
	for _, f := range []struct {
		name  string
		to    *string
		check func(string) (string, string)
		blank string
	}{
		{"user_name", &s.UserName, checkText, "someone"},
		{"offer_name", &s.OfferName, checkText, "one of our partners"},
		{"img_path", &s.ImgPath, checkImage, "default"},
		{"place", &s.Place, checkText, ""},
		{"url", &s.URL, checkLink, ""},
	} {
		value, broken := f.check(posted[f.name])
		if broken != "" {
			return Signup{}, &RuleError{Field: f.name, Rule: broken}
		}
		if value == "" {
			value = f.blank
		}
		*f.to = value
	}
	return s, nil
}

// unknown returns the first name, in byte order, that is no field of a signup.
func (f Fields) unknown() (name string, found bool) {
	for n := range f {
		if !IsField(n) && (!found || n < name) {
			name, found = n, true
		}
	}
	return name, found
}

// RuleError says which field of a signup cannot be shown, and what to do about it.
type RuleError struct {
	Field string // name as posted, made safe to repeat
	Rule  string // continues a sentence that begins with the field's name
}

// Error returns one line of printable text.
func (e *RuleError) Error() string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	if e.Field != "" && strings.Trim(e.Field, plain) == "" {
		return e.Field + " " + e.Rule
	}
	return strconv.Quote(e.Field) + " " + e.Rule
}

// NewRuleError says what is wrong with a field of any name, which a stranger chose.
func NewRuleError(field, rule string) *RuleError {
	return &RuleError{Field: printable(field), Rule: rule}
}

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

// printable makes a stranger's name of a field safe to repeat in an answer or a log: at most 64
// characters, U+FFFD for each that would not show as itself, and nothing from the first on that
// belongs into a value or between fields. A JSON body sent as a form, key and all, is one long name.
func printable(name string) string {
	const most = 64
	var b strings.Builder
	n := 0
	for _, r := range name {
		if n++; n > most || strings.ContainsRune(`{}":=&,;`, r) {
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
