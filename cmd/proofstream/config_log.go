package main

import (
	"log/slog"
	"reflect"
	"time"

	"proofstream/stream/natslog"
)

// LogValue returns the configuration under the names of the variables, without secrets.
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("env")
		switch name {
		case "-": // added below, or secret
		case "NATS_URL":
			shown := ""
			if c.NATSURL != "" {
				shown = natslog.Redact(c.NATSURL)
			}
			attrs = append(attrs, slog.String(envPrefix+name, shown))
		default:
			value := v.Field(i).Interface()
			if d, ok := value.(time.Duration); ok {
				value = d.String() // JSON would have nanoseconds
			}
			attrs = append(attrs, slog.Any(envPrefix+name, value))
		}
	}
	var sites []any
	for _, s := range c.Sites {
		sites = append(sites, slog.Group(s.Name, "keys", len(s.Keys), "origins", s.Origins, "names", s.Names.String()))
	}
	var hooks []any
	for _, h := range c.Hooks {
		hooks = append(hooks, slog.Group(h.Name, "site", h.Site, "from", h.From, "secrets", len(h.Secrets)))
	}
	attrs = append(attrs, slog.Bool("generated_key", c.GeneratedKey != ""), slog.Group("sites", sites...), slog.Group("hooks", hooks...))
	return slog.GroupValue(attrs...)
}

// String returns the same as LogValue, so that %v prints no secret.
func (c Config) String() string { return c.LogValue().String() }
