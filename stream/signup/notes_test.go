package signup

import (
	"slices"
	"strings"
	"testing"
)

func TestNotesNameWhatLooksWrong(t *testing.T) {
	tests := []struct {
		name   string
		posted Fields
		want   []Note
	}{
		{"a sound signup", Fields{"user_name": "Ada", "offer_name": "R&D; more", "img_path": "/a.png", "place": "A & B", "kind": "order"}, nil},
		{"nothing at all", Fields{}, nil},
		{"white space for a picture", Fields{"img_path": " \u200b"}, nil},
		{"our own picture", Fields{"img_path": " default "}, nil},
		{"references by name and number", Fields{"offer_name": "Ben &amp; Jerry", "place": "Jerry&#8217;s", "user_name": "&quot;Ada&#x22;"},
			[]Note{{HTMLEscaped, "user_name"}, {HTMLEscaped, "offer_name"}, {HTMLEscaped, "place"}}},
		{"a reference after an ampersand", Fields{"offer_name": "A & B & C &lt;"}, []Note{{HTMLEscaped, "offer_name"}}},
		{"a name of no reference", Fields{"offer_name": "you&me; &; &#; &#x;"}, nil},
		{"a reference without its semicolon", Fields{"offer_name": "Fish&amp Chips"}, nil},
		{"an escaped address is not a text", Fields{"url": "/?a=1&amp;b=2", "img_path": "/?a=1&amp;b=2"}, nil},
		{"missing values of programs", Fields{"user_name": "undefined", "offer_name": " null ", "place": "NaN", "kind": "undefined"},
			[]Note{{Placeholder, "user_name"}, {Placeholder, "offer_name"}, {Placeholder, "place"}, {Placeholder, "kind"}}},
		{"a person named Null, and words around", Fields{"user_name": "Null", "offer_name": "The undefined", "place": "Nan"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := New(tt.posted); err != nil {
				t.Fatal(err)
			}
			if got := tt.posted.Notes(); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestNoteSaysWhatToDoAndNotWhatWasPosted(t *testing.T) {
	for _, kind := range []NoteKind{PictureReplaced, HTMLEscaped, Placeholder} {
		got := Note{kind, "place"}.String()
		if !strings.HasPrefix(got, "place ") || !strings.Contains(got, ": ") || strings.ContainsAny(got, "\r\n") {
			t.Errorf("%s: got %q", kind, got)
		}
	}
}
