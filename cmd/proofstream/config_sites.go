package main

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caarlos0/env/v11"

	"proofstream/api/origin"
	"proofstream/stream"
	"proofstream/stream/signup"
)

// minKeyLength is the least length of an API key, in characters.
const minKeyLength = 16

// makeAKey is how a problem with a key ends.
const makeAKey = "make one with: openssl rand -hex 24"

// siteVariables are the variables of one indexed site.
type siteVariables struct {
	Name    string   `env:"NAME"`
	Keys    []string `env:"API_KEYS"`
	Origins []string `env:"ALLOWED_ORIGINS"`

	KeysFile    string `env:"API_KEYS_FILE"`
	OriginsFile string `env:"ALLOWED_ORIGINS_FILE"`

	Names signup.Names `env:"NAMES"` // unset: that of the default site
}

// readSites fills c.Sites: the default site, then the indexed ones.
func (p *problems) readSites(c *Config, v variables, known map[string]string) {
	owner := make(map[string]string) // the variable of each key
	if known["PROOF_ALLOWED_ORIGINS"] == "" && v.OriginsFile != "" {
		v.Origins = nil
	}
	c.Sites = []Site{p.readDefaultSite(c, v, owner)}
	gap := false
	for i, index := range indexesOf(siteVariable, known) {
		if i != index && !gap {
			gap = true
			p.add(fmt.Sprintf("%sSITES_%d_NAME", envPrefix, i),
				"missing, though there is a site %d; number the sites from 0 without gaps", index)
		}
		c.Sites = append(c.Sites, p.readSite(fmt.Sprintf("%sSITES_%d_", envPrefix, index), known, c.Sites, owner))
	}
}

// readDefaultSite returns the site default, with the keys of both variables. Without a key it generates one. For a cluster it does
// not, since each node would have another.
func (p *problems) readDefaultSite(c *Config, v variables, owner map[string]string) Site {
	const keysVariable, fileVariable = "PROOF_API_KEYS", "PROOF_API_KEYS_FILE"
	site := Site{Name: defaultSite, Names: v.Names, KeysFrom: Source{v.Keys, v.KeysFile}, OriginsFrom: Source{v.Origins, v.OriginsFile}}
	p.fill(&site, envPrefix, owner)

	switch {
	case len(site.Keys) > 0 || p.has(keysVariable) || p.has(fileVariable):
	case c.NATSURL != "":
		p.add(keysVariable, "required with PROOF_NATS_URL, the same on each node; %s", makeAKey)
	default:
		c.GeneratedKey = rand.Text()
		site.Keys = []string{c.GeneratedKey}
	}
	return site
}

// indexesOf returns the indexes in use in the names that a pattern matches, in order. Its first group is an index of at most four digits.
func indexesOf(pattern *regexp.Regexp, known map[string]string) (indexes []int) {
	for name := range known {
		if m := pattern.FindStringSubmatch(name); m != nil {
			index, _ := strconv.Atoi(m[1])
			indexes = append(indexes, index)
		}
	}
	slices.Sort(indexes)
	return slices.Compact(indexes)
}

// readSite returns the site whose variables have the prefix. The sites before it begin with the default one. The library can read all sites as one slice, but stops without an
// error at a gap, and at the first site with a problem.
func (p *problems) readSite(prefix string, known map[string]string, before []Site, owner map[string]string) Site {
	var v siteVariables
	err := env.ParseWithOptions(&v, env.Options{Environment: known, Prefix: prefix, FuncMap: parsers()})
	p.addParseErrors(prefix, &v, err)

	switch taken := func(s Site) bool { return s.Name == v.Name }; {
	case v.Name == "":
		p.add(prefix+"NAME", "missing; each site needs a name, keys and origins")
	case !stream.ValidSite(v.Name):
		p.add(prefix+"NAME", "not a site name; use 1 to 63 of a-z, 0-9 and -")
	case slices.ContainsFunc(before, taken):
		p.add(prefix+"NAME", "taken by another site, or by the one without an index, default; choose another")
	}
	if v.Keys == nil && v.KeysFile == "" && !p.has(prefix+"API_KEYS") {
		p.add(prefix+"API_KEYS", "missing; %s", makeAKey)
	}
	if v.Origins == nil && v.OriginsFile == "" && !p.has(prefix+"ALLOWED_ORIGINS") {
		p.add(prefix+"ALLOWED_ORIGINS", "missing; write the pages that may subscribe, such as https://shop.example.com")
	}
	if known[prefix+"NAMES"] == "" {
		v.Names = before[0].Names
	}
	site := Site{Name: v.Name, Names: v.Names, KeysFrom: Source{v.Keys, v.KeysFile}, OriginsFrom: Source{v.Origins, v.OriginsFile}}
	p.fill(&site, prefix, owner)
	return site
}

// fill sets the keys and the origins of a site whose variables have the prefix.
func (p *problems) fill(site *Site, prefix string, owner map[string]string) {
	keysFile, originsFile := prefix+"API_KEYS_FILE", prefix+"ALLOWED_ORIGINS_FILE"
	site.Keys = p.addKeys(prefix+"API_KEYS", site.KeysFrom.Given, nil, owner)
	site.Keys = p.addKeys(keysFile, p.readList(keysFile, site.KeysFrom.File, "key"), site.Keys, owner)
	more := p.readList(originsFile, site.OriginsFrom.File, "origin")
	p.checkOrigins(prefix+"ALLOWED_ORIGINS", site.OriginsFrom.Given)
	p.checkOrigins(originsFile, more)
	site.Origins = append(slices.Clip(site.OriginsFrom.Given), more...)
}

// addKeys returns the existing keys of a site and those of a variable, each once. A key of another site is a problem, since the
// key decides the site.
func (p *problems) addKeys(variable string, keys, existing []string, owner map[string]string) []string {
	for i, key := range keys {
		if slices.Contains(existing, key) {
			continue
		}
		if other, taken := owner[key]; taken {
			p.add(variable, "key %d is also in %s, and a key belongs to one site; %s", i+1, other, makeAKey)
		}
		if wrong := checkKey(key); wrong != "" {
			p.add(variable, "key %d %s; %s", i+1, wrong, makeAKey)
		}
		if strings.ContainsAny(key, "+&%=#;") {
			p.warn(variable, "key %d has one of + & %% = # ; in it: as a form field it must be URL-encoded (curl: --data-urlencode), in a header not", i+1)
		}
		owner[key] = variable
		existing = append(existing, key)
	}
	return existing
}

// checkKey returns why a key is too short or cannot be sent in a header, or "".
func checkKey(key string) string {
	switch _, quoted := cutQuotes(key); {
	case assignment.MatchString(key):
		return "is a line that sets a variable; write the key alone"
	case quoted:
		return "is in quotes, which would be part of it; write it without"
	case strings.ContainsFunc(key, unicode.IsSpace):
		return "contains white space (several keys are separated by commas)"
	case !utf8.ValidString(key) || strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "contains a character that cannot be printed"
	case utf8.RuneCountInString(key) < minKeyLength:
		return fmt.Sprintf("is shorter than %d characters", minKeyLength)
	}
	return ""
}

// checkOrigins adds a problem for each pattern that origin.Parse refuses.
func (p *problems) checkOrigins(variable string, patterns []string) {
	_, err := origin.Parse(patterns)
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			p.add(variable, "%v", err)
		}
		return
	}
	p.add(variable, "%v", err)
}
