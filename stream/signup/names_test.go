package signup

import "testing"

func TestNamesKeepWhatThePolicySays(t *testing.T) {
	tests := []struct{ name, posted, first, initial string }{
		{"two words", "Ada Lovelace", "Ada", "A."},
		{"one word", "Ada", "Ada", "A."},
		{"small letters", "ada lovelace", "ada", "A."},
		{"capitals stay", "ADA LOVELACE", "ADA", "A."},
		{"a no-break and an ideographic space separate", "Ada\u00a0Lovelace", "Ada", "A."},
		{"white space and marks in front", "\u200f  Ada Lovelace", "Ada", "A."},
		{"two given names", "María José García Márquez", "María", "M."},
		{"a given name with a hyphen", "Jean-Pierre Dupont", "Jean-Pierre", "J."},
		{"an apostrophe", "D'Arcy Wentworth", "D'Arcy", "D."},
		{"initials as posted", "J. R. R. Tolkien", "J.", "J."},
		{"quotes before the letter", "\"Ada\" Lovelace", "\"Ada\"", "A."},
		{"a title", "Dr. Ada Lovelace", "Ada", "A."},
		{"a title without its dot and in capitals", "MRS Ada Lovelace", "Ada", "A."},
		{"several titles", "Prof. Dr. Ada Lovelace", "Ada", "A."},
		{"a title without a space", "Dr.Ada Lovelace", "Ada", "A."},
		{"a title and one word", "Mr. Bean", "Bean", "B."},
		{"a title alone", "Dr.", "Dr.", "D."},
		{"an Arabic title", "د. سارة علي", "سارة", "س."},
		{"the family name first, with a comma", "Lovelace, Ada", "Ada", "A."},
		{"a family name of several words first, with a comma", "van der Berg, Jan Piet", "Jan", "J."},
		{"a suffix after a comma", "Ada Lovelace, Ph.D.", "Ada", "A."},
		{"a family name, a given name and a suffix", "King, Martin Luther, Jr.", "Martin", "M."},
		{"a comma and nothing", "Ada,", "Ada", "A."},
		{"nothing before the comma", ", Ada", "Ada", "A."},
		{"Abd Allah in Arabic", "عبد الله محمد", "عبد الله", "ع."},
		{"Abd al-Rahman in Latin letters", "Abd al-Rahman ibn Khaldun", "Abd al-Rahman", "A."},
		{"Abd al Rahman in three words", "Abd al Rahman Khan", "Abd al Rahman", "A."},
		{"Abdul Rahman", "Abdul Rahman Khan", "Abdul Rahman", "A."},
		{"Abu Bakr", "أبو بكر محمد", "أبو بكر", "أ."},
		{"Nur al-Din in Arabic", "نور الدين زنكي", "نور الدين", "ن."},
		{"Nour El Din", "Nour El Din Hassan", "Nour El Din", "N."},
		{"Chinese without a space is one word", "王小明", "王小明", "王."},
		{"Korean without a space is one word", "김민수", "김민수", "김."},
		{"Japanese with a space", "山田\u3000太郎", "山田", "山."},
		{"a foreign name in Chinese", "约翰·史密斯", "约翰", "约."},
		{"a foreign name in Japanese", "ジョン・スミス", "ジョン", "ジ."},
		{"a middle dot that is part of a word", "Gal·la Placidia", "Gal·la", "G."},
		{"a decomposed letter", "E\u0301milie du Châtelet", "E\u0301milie", "E\u0301."},
		{"a Devanagari cluster", "क्षितिज शर्मा", "क्षितिज", "क्षि."},
		{"a Thai vowel written before its consonant", "เอดา ใจดี", "เอดา", "อ."},
		{"a Georgian letter has no capital in a name", "ნინო ბერიძე", "ნინო", "ნ."},
		{"a digraph in title case", "ǆemal", "ǆemal", "ǅ."},
		{"an emoji", "👩\u200d💻 Ada", "👩\u200d💻", "👩\u200d💻."},
		{"a digit", "4chan fan", "4chan", "4."},
		{"nothing visible", "\u200f \u200d", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for policy, want := range map[Names]string{FullNames: tt.posted, FirstNames: tt.first, InitialNames: tt.initial, NoNames: ""} {
				if got := policy.Apply(tt.posted); got != want {
					t.Errorf("%s of %q: got %q, want %q", policy, tt.posted, got, want)
				}
			}
		})
	}
}

func TestKeepMakesANameBlankOnlyWhenNothingIsLeft(t *testing.T) {
	posted := Signup{UserName: "Ada Lovelace", OfferName: "Spring Sale", ImgPath: "default"}
	absent := Signup{UserName: "someone", OfferName: "Spring Sale", ImgPath: "default", UserNameBlank: true}
	first := posted
	first.UserName = "Ada"
	tests := []struct {
		name      string
		policy    Names
		got, want Signup
	}{
		{"full", FullNames, posted, posted},
		{"first", FirstNames, posted, first},
		{"none", NoNames, posted, absent},
		{"first of a blank name is not the first word of the default", InitialNames, absent, absent},
	}
	for _, tt := range tests {
		if got := tt.got.Keep(tt.policy); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestParseNamesReadsWhatStringWrites(t *testing.T) {
	for n := FullNames; n <= NoNames; n++ {
		if got, err := ParseNames(n.String()); got != n || err != nil {
			t.Errorf("%s: got %v, %v", n, got, err)
		}
	}
	for _, text := range []string{"", "Full", "last", " first"} {
		if got, err := ParseNames(text); err == nil {
			t.Errorf("%q: got %v; want an error", text, got)
		}
	}
}
