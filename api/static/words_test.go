package static

import (
	"encoding/json"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"proofstream/assets"
)

// wordNames are the words of a language, named as the attributes of the widget's tag.
var wordNames = []string{"close-label", "label", "some-offer", "someone", "template", "template-past"}

// builtInWords returns the words of each language that proof.words.json has.
func builtInWords(t *testing.T) (words map[string]map[string]string) {
	t.Helper()
	source, err := fs.ReadFile(assets.Files, "widget/proof.words.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(source, &words); err != nil {
		t.Fatalf("proof.words.json: %v", err)
	}
	return words
}

// Each language has the six words and no others, as the widget can show them: a template has both placeholders once.
func TestBuiltInWordsAreComplete(t *testing.T) {
	for code, words := range builtInWords(t) {
		if names := slices.Sorted(maps.Keys(words)); !slices.Equal(names, wordNames) {
			t.Errorf("%s has the words %q, want %q", code, names, wordNames)
		}
		for name, text := range words {
			if fault := faultOfWord(name, text); fault != "" {
				t.Errorf("%s, %s: %q %s", code, name, text, fault)
			}
		}
	}
}

// faultOfWord returns what is wrong with a word, or "".
func faultOfWord(name, text string) string {
	placeholders := 0
	if strings.HasPrefix(name, "template") {
		placeholders = 1
	}
	rest := strings.NewReplacer("{user_name}", "", "{offer_name}", "").Replace(text)
	switch {
	case strings.Count(text, "{user_name}") != placeholders || strings.Count(text, "{offer_name}") != placeholders:
		return "must have {user_name} and {offer_name} once in a template, and nowhere else"
	case strings.ContainsAny(rest, "{}<>&"):
		return "has HTML or an unknown placeholder"
	case text == "" || text != strings.TrimSpace(text) || strings.Contains(text, "  "):
		return "is empty, or has white space at an end or twice"
	case !norm.NFC.IsNormalString(text):
		return "is not in normalization form C"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "has a control character"
	}
	return ""
}

// The widget looks for words by a lower-case BCP 47 tag, and for a more general one after it: zh-hk, zh.
func TestBuiltInWordsHaveKeysThatTheWidgetLooksFor(t *testing.T) {
	words := builtInWords(t)
	for code := range words {
		tag, err := language.Parse(code)
		if base, _, _ := strings.Cut(code, "-"); err != nil || !strings.EqualFold(tag.String(), code) || words[base] == nil {
			t.Errorf("%q: got tag %q, %v, want the same in lower case, and words for %q", code, tag, err, base)
		}
	}
}

// The contract promises at least twenty languages, right-to-left ones among them.
func TestBuiltInWordsAreOfManyLanguages(t *testing.T) {
	bases, rightToLeft := map[string]bool{}, map[string]bool{}
	for code := range builtInWords(t) {
		base, _, _ := strings.Cut(code, "-")
		bases[base] = true
		script, _ := language.Make(code).Script()
		if slices.Contains([]string{"Arab", "Hebr", "Thaa"}, script.String()) {
			rightToLeft[base] = true
		}
	}
	if len(bases) < 24 || len(rightToLeft) < 2 {
		t.Errorf("got %d languages, right-to-left %v, want at least 24 and 2", len(bases), rightToLeft)
	}
}

// The widget requests the file only for languages that it knows to be in it.
func TestWidgetKnowsWhichWordsAreBuiltIn(t *testing.T) {
	source, err := fs.ReadFile(assets.Files, "widget/words.js")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`const BUILT_IN = '([^']*)'`).FindSubmatch(source)
	if found == nil {
		t.Fatal("words.js has no list BUILT_IN of the languages in proof.words.json")
	}
	var bases []string
	for code := range builtInWords(t) {
		base, _, _ := strings.Cut(code, "-")
		bases = append(bases, base)
	}
	slices.Sort(bases)
	want := slices.DeleteFunc(slices.Compact(bases), func(base string) bool { return base == "en" }) // for the demo page: the widget has its own
	if got := slices.Sorted(slices.Values(strings.Fields(string(found[1])))); !slices.Equal(got, want) {
		t.Errorf("words.js knows\n%q, proof.words.json has\n%q", got, want)
	}
	for name, text := range builtInWords(t)["en"] {
		if !strings.Contains(string(source), ": '"+text+"',\n") {
			t.Errorf("words.js does not have %q for %s", text, name)
		}
	}
}
