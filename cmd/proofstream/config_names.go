package main

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"
)

// envPrefix is the prefix of every variable of this program.
const envPrefix = "PROOF_"

// siteVariable matches the variables of indexed sites, at most 10,000 of them. An index has no leading zero, so that each
// variable has one spelling.
var siteVariable = regexp.MustCompile(`^PROOF_SITES_(0|[1-9][0-9]{0,3})_(NAME|API_KEYS|API_KEYS_FILE|ALLOWED_ORIGINS|ALLOWED_ORIGINS_FILE|NAMES)$`)

// hookVariable matches the variables of webhooks, in the same way.
var hookVariable = regexp.MustCompile(`^PROOF_HOOKS_(0|[1-9][0-9]{0,3})_` +
	`(NAME|SITE|FROM|SECRET|SECRET_FILE|SIGNATURE|USER_NAME|OFFER_NAME|IMG_PATH|PLACE|URL|KIND|WHEN|RETRACT_WHEN|KEY)$`)

// hookPrefix matches the prefix of such a variable, also with leading zeros.
var hookPrefix = regexp.MustCompile(`^PROOF_HOOKS_[0-9]{1,4}_`)

// sitePrefix matches the prefix of such a variable, also with leading zeros.
var sitePrefix = regexp.MustCompile(`^PROOF_SITES_[0-9]{1,4}_`)

// knownVariables returns the variables of this program that are not blank, trimmed, and adds a problem for each unknown one, and for each
// value in quotes.
func (p *problems) knownVariables(environ []string) map[string]string {
	names := knownNames()
	known := make(map[string]string)
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		value = strings.TrimSpace(value)
		if !strings.HasPrefix(name, envPrefix) || value == "" {
			continue
		}
		switch {
		case names[name] || siteVariable.MatchString(name) || hookVariable.MatchString(name):
			if value = p.withoutQuotes(name, value); value != "" {
				known[name] = value
			}
		case isLink(name, value):
		case name == "PROOF_PORT":
			p.add(name, "no such variable; the address to listen on is PROOF_ADDR, such as PROOF_ADDR=:8080")
		case name == "PROOF_FSYNC":
			p.add(name, "no such variable; there is no durability setting: a signup is on disk before it is acknowledged")
		default:
			p.add(printable(name), "no such variable; the nearest is %s", nearest(name, names))
		}
	}
	return known
}

// withoutQuotes returns the value without quotes at both ends, and adds a problem if it has some: shells and systemd remove them,
// docker --env-file does not.
func (p *problems) withoutQuotes(variable, value string) string {
	inner, quoted := cutQuotes(value)
	if quoted {
		p.add(variable, "the value is in quotes, which would be part of it; write it without")
	}
	return inner
}

// cutQuotes returns s without the quotes that begin and end it, and whether it has some.
func cutQuotes(s string) (inner string, quoted bool) {
	if n := len(s) - 1; n > 0 && s[0] == s[n] && (s[0] == '"' || s[0] == '\'') {
		return strings.TrimSpace(s[1:n]), true
	}
	return s, false
}

// knownNames returns the names of all variables except those of indexed sites and of webhooks.
func knownNames() map[string]bool {
	names := make(map[string]bool)
	for _, f := range envFields(&variables{}, envPrefix) {
		names[f.Key] = true
	}
	return names
}

// envFields returns the variables that fill v, a pointer to a struct with env tags.
func envFields(v any, prefix string) []env.FieldParams {
	params, err := env.GetFieldParamsWithOptions(v, env.Options{Environment: map[string]string{}, Prefix: prefix})
	if err != nil {
		panic(err) // a tag that the library does not know: a defect of this package
	}
	var own []env.FieldParams
	for _, f := range params {
		if !f.Ignored {
			own = append(own, f)
		}
	}
	return own
}

// printable returns the name itself, or quoted when it has characters that a terminal may interpret.
func printable(name string) string {
	if q := strconv.QuoteToASCII(name); q != `"`+name+`"` {
		return q
	}
	return name
}

// nearest returns the known name, or name of an indexed site's or a webhook's variable, with the fewest edits to the given one. Of several it
// is the first in the alphabet.
func nearest(name string, names map[string]bool) string {
	best, least := "", -1
	try := func(candidate string) {
		d := editDistance(name, candidate)
		if least < 0 || d < least || d == least && candidate < best {
			best, least = candidate, d
		}
	}
	for candidate := range names {
		try(candidate)
	}
	site := sitePrefix.FindString(name)
	if site == "" || !siteVariable.MatchString(site+"NAME") {
		site = envPrefix + "SITES_0_"
	}
	for _, f := range envFields(&siteVariables{}, site) {
		try(f.Key)
	}
	hook := hookPrefix.FindString(name)
	if hook == "" || !hookVariable.MatchString(hook+"NAME") {
		hook = envPrefix + "HOOKS_0_"
	}
	for _, f := range envFields(&hookVariables{}, hook) {
		try(f.Key)
	}
	return best
}

// editDistance returns the least number of bytes to insert, delete or replace that turns a into b (Levenshtein distance).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, row[j+1]+1, cost)
		}
	}
	return row[len(b)]
}
