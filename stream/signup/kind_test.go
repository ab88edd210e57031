package signup

import (
	"errors"
	"strings"
	"testing"
)

func TestKindIsKept(t *testing.T) {
	for _, tt := range []struct{ name, posted, want string }{
		{"a word", "order", "order"},
		{"digits and hyphens", "-2nd-order-", "-2nd-order-"},
		{"the longest", strings.Repeat("k", 32), strings.Repeat("k", 32)},
		{"nothing", "", ""},
		{"white space", " \t\r\n\u00a0", ""},
		{"invisible characters", "\u200d\u200e", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, broken := checkKind(tt.posted); got != tt.want || broken != "" {
				t.Errorf("got %q, %s; want %q", got, broken, tt.want)
			}
		})
	}
}

func TestKindIsRefused(t *testing.T) {
	for _, tt := range []struct{ name, posted string }{
		{"one character too many", strings.Repeat("k", 33)},
		{"a capital", "Order"},
		{"an underscore", "new_order"},
		{"white space at an end", "order "},
		{"white space within", "new order"},
		{"a letter beyond ASCII", "bestellung-für"},
		{"a NUL", "order\x00"},
		{"only a NUL", "\x00"},
		{"a lone surrogate", "a\xed\xa0\x80"},
		{"a quote", `"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(Fields{"kind": tt.posted})
			var got *RuleError
			const want = `kind must be 1 to 32 of a-z, 0-9 and -, such as "order": rename it`
			if !errors.As(err, &got) || got.Field != "kind" || got.Error() != want {
				t.Errorf("got %v; want %s", err, want)
			}
		})
	}
}
