package main

import (
	"errors"
	"log/slog"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"proofstream/stream/signup"
)

// parse returns the variables, and adds a problem for each value that cannot be parsed.
func (p *problems) parse(known map[string]string) variables {
	var v variables
	err := env.ParseWithOptions(&v, env.Options{Environment: known, Prefix: envPrefix, FuncMap: parsers()})
	p.addParseErrors(envPrefix, &v, err)
	return v
}

// addParseErrors adds a problem for each of the library's errors. Of their text it keeps only what our parsers wrote: the rest
// names fields instead of variables, and quotes values, which may be secret.
func (p *problems) addParseErrors(prefix string, v any, err error) {
	var all env.AggregateError
	if errors.As(err, &all); len(all.Errors) == 0 && err != nil {
		panic(err) // not about a value: a defect of this package
	}
	for _, err := range all.Errors {
		var wrong env.ParseError
		if !errors.As(err, &wrong) {
			panic(err)
		}
		field, _ := reflect.TypeOf(v).Elem().FieldByName(wrong.Name)
		text := wrong.Err.Error()
		if wrong.Type == reflect.TypeFor[slog.Level]() { // has its own parser, which quotes
			text = "write debug, info, warn or error"
		}
		p.add(prefix+field.Tag.Get("env"), "%s", text)
	}
}

// parsers replace the library's parsers that keep white space or quote the value. Their errors quote nothing.
func parsers() map[reflect.Type]env.ParserFunc {
	return map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[int]():            func(s string) (any, error) { return parseInt(s) },
		reflect.TypeFor[bool]():           func(s string) (any, error) { return parseBool(s) },
		reflect.TypeFor[time.Duration]():  func(s string) (any, error) { return parseDuration(s) },
		reflect.TypeFor[[]string]():       func(s string) (any, error) { return parseList(s) },
		reflect.TypeFor[[]netip.Prefix](): func(s string) (any, error) { return parsePrefixes(s) },
		reflect.TypeFor[signup.Names]():   func(s string) (any, error) { return signup.ParseNames(s) },
	}
}

// parseInt returns a decimal number of at most 32 bits.
func parseInt(s string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if errors.Is(err, strconv.ErrRange) {
		return 0, errors.New("far out of range")
	}
	if err != nil {
		return 0, errors.New("not a whole number; write digits only")
	}
	return int(n), nil
}

// parseBool returns a word that strconv.ParseBool knows.
func parseBool(s string) (bool, error) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, errors.New("write true or false")
	}
	return b, nil
}

// parseDuration returns a duration as time.ParseDuration does.
func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New("not a duration; write a number with its unit, such as 500ms, 15s or 720h")
	}
	return d, nil
}

// parseList returns the elements of a list with commas, trimmed, without empty ones. A list without any element is an error: it
// looks like a value and would mean none.
func parseList(s string) ([]string, error) {
	var list []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	if list == nil {
		return nil, errors.New("nothing but commas; leave it unset for the default")
	}
	return list, nil
}

// parsePrefixes returns networks, masked. An address alone is a network of one address. An IPv4 network written as IPv6 is an
// error.
func parsePrefixes(s string) ([]netip.Prefix, error) {
	list, err := parseList(s)
	if err != nil {
		return nil, err
	}
	var networks []netip.Prefix
	for i, part := range list {
		network, err := netip.ParsePrefix(part)
		if err != nil {
			if addr, err := netip.ParseAddr(part); err == nil && addr.Zone() == "" {
				network = netip.PrefixFrom(addr, addr.BitLen())
			}
		}
		if !network.IsValid() || network.Addr().Is4In6() {
			return nil, errors.New("network " + strconv.Itoa(i+1) +
				" cannot be read; write CIDRs such as 10.0.0.0/8 or 2001:db8::/32")
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}
