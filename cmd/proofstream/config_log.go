package main

import (
	"log/slog"
	"net/url"
	"reflect"
	"strings"
	"time"
)

// LogValue is the configuration in effect, under the names of the variables and without secrets.
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("env")
		switch name {
		case "-": // below, or secret
		case "NATS_URL":
			attrs = append(attrs, slog.String(envPrefix+name, withoutUserInfo(c.NATSURL)))
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
		sites = append(sites, slog.Group(s.Name, "keys", len(s.Keys), "origins", s.Origins))
	}
	attrs = append(attrs, slog.Bool("generated_key", c.GeneratedKey != ""), slog.Group("sites", sites...))
	return slog.GroupValue(attrs...)
}

// String is for the careless %v: the same as LogValue, so that it prints no secret either.
func (c Config) String() string { return c.LogValue().String() }

// withoutUserInfo removes user, password and token from a list of URLs.
func withoutUserInfo(list string) string {
	if list == "" {
		return ""
	}
	urls := strings.Split(list, ",")
	for i, s := range urls {
		if !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		u, err := url.Parse(s)
		if err != nil {
			return "(unreadable)"
		}
		urls[i] = u.Scheme + "://" + u.Host
	}
	return strings.Join(urls, ",")
}
