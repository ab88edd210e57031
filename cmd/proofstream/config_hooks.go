package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"proofstream/api/hook"
)

// Hook is a webhook. Its Secrets are those of both variables.
type Hook struct {
	hook.Options
	Given      []string // secrets of the variable alone
	SecretFile string   // has more, one a line; or empty
}

// hookVariables are the variables of one webhook.
type hookVariables struct {
	Name        string   `env:"NAME"`
	Site        string   `env:"SITE"` // unset: the default site
	From        string   `env:"FROM"`
	Secrets     []string `env:"SECRET"`
	SecretFile  string   `env:"SECRET_FILE"`
	Signature   string   `env:"SIGNATURE"`
	UserName    string   `env:"USER_NAME"`
	OfferName   string   `env:"OFFER_NAME"`
	ImgPath     string   `env:"IMG_PATH"`
	Place       string   `env:"PLACE"`
	URL         string   `env:"URL"`
	Kind        string   `env:"KIND"`
	When        string   `env:"WHEN"`
	RetractWhen string   `env:"RETRACT_WHEN"`
	Key         string   `env:"KEY"`
}

// readHooks fills c.Hooks, after c.Sites.
func (p *problems) readHooks(c *Config, known map[string]string) {
	gap := false
	for i, index := range indexesOf(hookVariable, known) {
		if i != index && !gap {
			gap = true
			p.add(fmt.Sprintf("%sHOOKS_%d_NAME", envPrefix, i),
				"missing, though there is a webhook %d; number the webhooks from 0 without gaps", index)
		}
		c.Hooks = append(c.Hooks, p.readHook(fmt.Sprintf("%sHOOKS_%d_", envPrefix, index), known, c))
	}
}

// readHook returns the webhook whose variables have the prefix.
func (p *problems) readHook(prefix string, known map[string]string, c *Config) Hook {
	var v hookVariables
	err := env.ParseWithOptions(&v, env.Options{Environment: known, Prefix: prefix, FuncMap: parsers()})
	p.addParseErrors(prefix, &v, err)

	h := Hook{Given: v.Secrets, SecretFile: v.SecretFile, Options: hook.Options{
		Name: v.Name, Site: cmp.Or(v.Site, defaultSite), From: v.From, Signature: v.Signature,
		UserName: v.UserName, OfferName: v.OfferName, ImgPath: v.ImgPath, Place: v.Place, URL: v.URL, Kind: v.Kind,
		When: v.When, RetractWhen: v.RetractWhen, Key: v.Key,
	}}
	h.Secrets = append(slices.Clone(v.Secrets), p.readSecretFile(prefix+"SECRET_FILE", v.SecretFile)...)
	if slices.ContainsFunc(c.Hooks, func(other Hook) bool { return v.Name != "" && other.Name == v.Name }) {
		p.add(prefix+"NAME", "taken by another webhook; choose another")
	}
	if !slices.ContainsFunc(c.Sites, func(s Site) bool { return s.Name == h.Site }) {
		p.add(prefix+"SITE", "no such site; write the name of one, or unset it for the one without an index, default")
	}
	p.checkHook(prefix, h)
	return h
}

// checkHook adds a problem for each option that hook.New refuses. A variable of secrets that has a problem gets no second one for them.
func (p *problems) checkHook(prefix string, h Hook) {
	_, err := hook.New(h.Options)
	if err == nil {
		return
	}
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		wrong, ok := errors.AsType[*hook.OptionError](err)
		if !ok {
			panic(err) // a defect of package hook
		}
		variable := prefix + wrong.Option
		if wrong.Option == "SECRET" {
			if p.has(variable) || p.has(prefix+"SECRET_FILE") {
				continue
			}
			if len(h.Given) == 0 && h.SecretFile != "" {
				variable = prefix + "SECRET_FILE"
			}
		}
		p.add(variable, "%s", wrong.Rule)
	}
}

// readSecretFile returns the secrets in a file, and adds a problem when there are none.
func (p *problems) readSecretFile(variable, path string) []string {
	if path == "" {
		return nil
	}
	secrets, err := readSecrets(path)
	switch {
	case err != nil:
		p.addUnreadable(variable, path, err)
	case len(secrets) == 0:
		p.add(variable, "the file is empty; write the sender's signing secret into it, or unset the variable")
	}
	return secrets
}

// readSecrets returns the signing secrets in a file: each line that is not empty, exactly. WooCommerce makes secrets with commas and spaces.
func readSecrets(path string) (secrets []string, err error) {
	text, err := readLimited(path, maxKeyFileSize)
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			secrets = append(secrets, line)
		}
	}
	return secrets, err
}

// hooksOf compiles the configured webhooks.
func hooksOf(cfg Config) ([]*hook.Hook, error) {
	var hooks []*hook.Hook
	for _, h := range cfg.Hooks {
		compiled, err := hook.New(h.Options)
		if err != nil {
			return nil, fmt.Errorf("webhook %s: %w", h.Name, err)
		}
		hooks = append(hooks, compiled)
	}
	return hooks, nil
}
