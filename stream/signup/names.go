package signup

import (
	"errors"
	"strings"
	"unicode"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// Names says what is stored and shown of a user_name. The zero value is FullNames.
type Names uint8

const (
	// FullNames keeps a name as it was posted.
	FullNames Names = iota
	// FirstNames keeps the first word, "Ada" of "Dr. Ada Lovelace": see Apply.
	FirstNames
	// InitialNames keeps the initial of the first word and a dot, "A.".
	InitialNames
	// NoNames keeps nothing, as if the name were blank.
	NoNames
)

// nameWords are the words for each Names, by its value.
var nameWords = [...]string{"full", "first", "initial", "none"}

// ParseNames parses what String returns.
func ParseNames(text string) (Names, error) {
	for i, word := range nameWords {
		if text == word {
			return Names(i), nil
		}
	}
	return FullNames, errors.New("write full, first, initial or none")
}

// String returns the word for n: full, first, initial or none.
func (n Names) String() string { return nameWords[n] }

// Apply returns what n keeps of a name that is a checked text; empty when that is nothing. The first word is the first of the given name: titles
// before it are skipped, a family name that ends in a comma is too, and words that mean nothing alone, such as Abd, take the next one with them.
// A name that is written without spaces, such as 王小明, is one word.
func (n Names) Apply(name string) string {
	switch n {
	case FullNames:
		return name
	case FirstNames:
		return firstWord(name)
	case InitialNames:
		return initial(firstWord(name))
	}
	return ""
}

// Keep returns the signup with what names keeps of its UserName. A name of which nothing is left is blank.
func (s Signup) Keep(names Names) Signup {
	if s.UserNameBlank || names == FullNames {
		return s
	}
	s.UserName = names.Apply(s.UserName)
	s.setDefaults()
	return s
}

// initial returns the first letter or digit of a word, as a reader sees it (a grapheme cluster, UAX #29), in title case, and a dot. A vowel sign
// that is written before its consonant, as in Thai, is not the first letter. A word without letters and digits keeps its first visible character.
func initial(word string) string {
	fallback := ""
	for clusters := graphemes.FromString(word); clusters.Next(); {
		cluster := clusters.Value()
		first := []rune(cluster)[0]
		switch {
		case unicode.Is(unicode.Logical_Order_Exception, first):
		case unicode.IsLetter(first) || unicode.IsNumber(first):
			return string(unicode.ToTitle(first)) + strings.TrimPrefix(cluster, string(first)) + "."
		case fallback == "" && strings.ContainsFunc(cluster, visible):
			fallback = cluster + "."
		}
	}
	return fallback
}
