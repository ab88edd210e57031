package signup

import (
	"slices"
	"strings"
	"unicode"
)

// titles are words before a name, in lower case and without a final dot.
var titles = wordSet("dr mr mrs ms miss mx prof professor sir dame rev hon mag dipl-ing dott dra herr frau fräulein monsieur madame mademoiselle " +
	"mme mlle señor señora señorita srta sra sr senhor senhora signor signora dhr mevr mw pan pani bay bayan г-н г-жа д-р " +
	"دكتور الدكتور دكتورة الدكتورة د السيد السيدة आचार्य श्री श्रीमती डॉ คุณ นาย นาง นางสาว ดร")

// suffixes are words after a name, in the same form.
var suffixes = wordSet("jr sr ii iii iv phd md mba msc bsc ma ba dds esq cpa")

// bound are the beginnings of given names that mean something else, or nothing, without the word after them.
var bound = wordSet("abd abdul abdel abdal abdur abdus abu abou umm عبد أبو ابو أم ام عبدال")

// articles stand between such a beginning and its word.
var articles = wordSet("al el ul ar as ad an at az ال")

// completions end a given name of two words that does not begin with one of bound, such as Nur al-Din.
var completions = wordSet("al-din el-din ad-din ed-din eddin uddin al-dine الدين الله الإسلام الاسلام")

// din is the same after an article that is a word of its own, as in Nour El Din.
var din = wordSet("din dine")

func wordSet(list string) map[string]bool {
	set := make(map[string]bool)
	for _, word := range strings.Fields(list) {
		set[word] = true
	}
	return set
}

// plain returns a word in the form of the sets above.
func plain(word string) string { return strings.ToLower(strings.TrimRight(word, ".,;")) }

// firstWord returns the first word of the given name in a name; empty when that has no visible character.
func firstWord(name string) string {
	words := visibleWords(givenPart(name))
	for len(words) > 1 && titles[plain(words[0])] {
		words = words[1:]
	}
	if len(words) == 0 {
		return ""
	}
	first := strings.TrimRight(withoutTitle(words[0]), ",;")
	return strings.Join(append([]string{first}, words[1:1+following(words)]...), " ")
}

// givenPart returns what stands after the comma in a name such as "Lovelace, Ada", unless that is a suffix, as in "Ada Lovelace, PhD".
func givenPart(name string) string {
	before, after, found := strings.Cut(name, ",")
	if !found {
		before, after, _ = strings.Cut(name, "，")
	}
	given, _, _ := strings.Cut(after, ",")
	isSuffix := func(word string) bool { return suffixes[strings.ReplaceAll(plain(word), ".", "")] }
	words := visibleWords(given)
	if len(visibleWords(before)) == 0 {
		return given
	}
	if len(words) == 0 || !slices.ContainsFunc(words, func(w string) bool { return !isSuffix(w) }) {
		return before
	}
	return given
}

// visibleWords splits a name at white space, at the dots between the words of a foreign name in Chinese and Japanese, and leaves out what
// cannot be seen.
func visibleWords(name string) []string {
	runes := []rune(name)
	for i, r := range runes {
		inHan := i > 0 && unicode.Is(unicode.Han, runes[i-1])
		if r == '・' || r == '·' && inHan { // elsewhere the latter is part of a word: Gal·la
			runes[i] = ' '
		}
	}
	return slices.DeleteFunc(strings.Fields(string(runes)), func(word string) bool { return !strings.ContainsFunc(word, visible) })
}

// withoutTitle removes titles that no space separates from the name, as in "Dr.Ada".
func withoutTitle(word string) string {
	for {
		title, rest, found := strings.Cut(word, ".")
		if !found || !strings.ContainsFunc(rest, unicode.IsLetter) || !titles[strings.ToLower(title)] {
			return word
		}
		word = rest
	}
}

// following returns how many of the words after the first belong to it.
func following(words []string) int {
	is := func(set map[string]bool, i int) bool { return i < len(words) && set[plain(words[i])] }
	switch {
	case is(bound, 0) && is(articles, 1) && len(words) > 2:
		return 2
	case is(bound, 0) && len(words) > 1, is(completions, 1):
		return 1
	case is(articles, 1) && is(din, 2):
		return 2
	}
	return 0
}
