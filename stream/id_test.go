package stream

import (
	"regexp"
	"testing"
)

func TestParseIDTakesOnlyWhatStringWrites(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		ok         bool
	}{
		{"an id", "k3v9-1040", true},
		{"the cursor of a client that has seen nothing", "k3v9-0", true},
		{"an epoch of 16 characters and a sequence of 19 digits", "abcdefghij012345-9999999999999999999", true},
		{"empty", "", false},
		{"no sequence", "k3v9-", false},
		{"no epoch", "-7", false},
		{"no dash", "k3v97", false},
		{"a leading zero", "k3v9-07", false},
		{"a sign", "k3v9-+7", false},
		{"a negative sequence", "k3v9--7", false},
		{"an upper-case epoch", "K3v9-7", false},
		{"an epoch of 17 characters", "abcdefghij0123456-7", false},
		{"a sequence of 20 digits", "k3v9-10000000000000000000", false},
		{"white space around", " k3v9-7", false},
		{"a line end", "k3v9-7\n", false},
		{"a digit of another script", "k3v9-٧", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id, err := ParseID(tc.text)
			if (err == nil) != tc.ok {
				t.Fatalf("got %v, %v", id, err)
			}
			if tc.ok && id.String() != tc.text {
				t.Errorf("%q became %q", tc.text, id)
			}
		})
	}
}

// FuzzParseID would catch a cursor that is accepted and becomes another text.
func FuzzParseID(f *testing.F) {
	form := regexp.MustCompile(`^[a-z0-9]{1,16}-(0|[1-9][0-9]{0,18})$`)
	for _, seed := range []string{"k3v9-1040", "a-0", "a-00", "-1", "a-18446744073709551615", "a\x00-1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseID(text)
		if got, want := err == nil, form.MatchString(text); got != want {
			t.Fatalf("ParseID(%q) accepted: %v, want %v", text, got, want)
		}
		if err == nil && id.String() != text {
			t.Fatalf("%q became %q", text, id)
		}
	})
}
