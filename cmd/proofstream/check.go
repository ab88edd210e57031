package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"

	"proofstream/stream/natslog"
)

// check prints the configuration, a variable on each line in the order of the README's table, with the number of keys and secrets in
// place of them. It prints warnings to stderr. The error is that of an invalid configuration.
func check(_ context.Context, c invocation) error {
	cfg, err := readConfig(c.environ)
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintf(c.stderr, "proofstream: %s: %s\n", w.Variable, w.Text)
	}
	for _, s := range cfg.settings() {
		if _, err := fmt.Fprintf(c.stdout, "%s=%s\n", s.variable, s.value); err != nil {
			return err
		}
	}
	return nil
}

// setting is a variable with its value, or its default, without secrets.
type setting struct{ variable, value string }

// settings returns all variables, in the order of Config's fields.
func (c Config) settings() (all []setting) {
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch name := field.Tag.Get("env"); {
		case field.Name == "Sites":
			all = append(all, c.siteSettings()...)
		case field.Name == "Hooks":
			for i, h := range c.Hooks {
				all = append(all, h.settings(fmt.Sprintf("%sHOOKS_%d_", envPrefix, i))...)
			}
		case name == "-":
		case name == "NATS_URL" && c.NATSURL != "":
			all = append(all, setting{envPrefix + name, natslog.Redact(c.NATSURL)})
		case name == "METRICS_ADDR" && c.MetricsAddr == "":
			all = append(all, setting{envPrefix + name, "off"})
		default:
			all = append(all, setting{envPrefix + name, valueText(v.Field(i).Interface())})
		}
	}
	return all
}

// valueText returns a value as the environment has it.
func valueText(value any) string {
	switch v := value.(type) {
	case []string:
		return strings.Join(v, ",")
	case []netip.Prefix:
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", ","), "[]")
	case slog.Level:
		return strings.ToLower(v.String())
	}
	return fmt.Sprint(value)
}

func (c Config) siteSettings() (all []setting) {
	for i, s := range c.Sites {
		prefix := envPrefix
		if i > 0 {
			prefix = fmt.Sprintf("%sSITES_%d_", envPrefix, i-1)
			all = append(all, setting{prefix + "NAME", s.Name})
		}
		keys := count(len(s.KeysFrom.Given), "key")
		if i == 0 && c.GeneratedKey != "" {
			keys = "none; one is generated at each start"
		}
		all = append(all, setting{prefix + "API_KEYS", keys}, setting{prefix + "API_KEYS_FILE", s.KeysFrom.File},
			setting{prefix + "ALLOWED_ORIGINS", valueText(s.OriginsFrom.Given)}, setting{prefix + "ALLOWED_ORIGINS_FILE", s.OriginsFrom.File},
			setting{prefix + "NAMES", s.Names.String()})
	}
	return all
}

func (h Hook) settings(prefix string) []setting {
	return []setting{
		{prefix + "NAME", h.Name}, {prefix + "SITE", h.Site}, {prefix + "FROM", h.From},
		{prefix + "SECRET", count(len(h.Given), "secret")}, {prefix + "SECRET_FILE", h.SecretFile}, {prefix + "SIGNATURE", h.Signature},
		{prefix + "USER_NAME", h.UserName}, {prefix + "OFFER_NAME", h.OfferName}, {prefix + "IMG_PATH", h.ImgPath},
		{prefix + "PLACE", h.Place}, {prefix + "URL", h.URL}, {prefix + "KIND", h.Kind},
		{prefix + "WHEN", h.When}, {prefix + "RETRACT_WHEN", h.RetractWhen}, {prefix + "KEY", h.Key},
	}
}

// count returns how many there are of a thing, such as "2 keys".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
