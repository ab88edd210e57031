package hook

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"proofstream/stream"
	"proofstream/stream/signup"
)

// Senders are the values of Options.From.
var Senders = []string{"stripe", "shopify", "woocommerce", "github", "standard", "hmac"}

// Options describe a webhook. A source says where a value is: see parseSource. Conditions are as parseConditions says. An empty source or
// RetractWhen, and an empty Key, is the sender's default: see defaults.
type Options struct {
	Name      string   // as stream.ValidSite says; unique among the hooks of a service
	Site      string   // that gets the signups
	From      string   // one of Senders
	Secrets   []string // signing secrets of the sender, of which any may have signed; at least one, none empty
	Signature string   // where the signature is, for From hmac only: see parseTemplate
	UserName  string   // source
	OfferName string   // source
	ImgPath   string   // source
	Place     string   // source
	URL       string   // source
	Kind      string   // of the signups, as it is
	// When are the conditions under which a delivery becomes a signup. Without them every delivery does, except pings.
	When string
	// RetractWhen are the conditions under which a delivery withdraws the signup with its key instead, whatever When says.
	RetractWhen string
	// Key is the source of the value that identifies the business object, such as the id of an order. Empty for a sender without a default means
	// that signups have no key.
	Key string
}

// Hook is a checked webhook. It is safe for concurrent use.
type Hook struct {
	name, site, from string
	scheme           scheme
	secrets          atomic.Pointer[[][]byte]
	fields           map[string]source // by the name of the signup's field
	kind             string
	when             []condition
	retractWhen      []condition
	key              source
}

// OptionError says what is wrong with an option, without its value, which may be a secret in the wrong place.
type OptionError struct {
	Option string // in capitals, such as RETRACT_WHEN
	Rule   string // what is wrong and what to do
}

// Error returns both.
func (e *OptionError) Error() string { return e.Option + ": " + e.Rule }

// New checks the options. The error joins an *OptionError for each problem.
func New(o Options) (*Hook, error) {
	o = o.withDefaults()
	h := &Hook{name: o.Name, site: o.Site, from: o.From, kind: o.Kind, fields: map[string]source{}}
	var c check
	c.name(o)
	h.scheme = c.scheme(o)
	if slices.Contains(Senders, o.From) {
		c.add("SECRET", h.SetSecrets(o.Secrets))
	}
	for _, f := range []struct{ option, field, text string }{
		{"USER_NAME", "user_name", o.UserName},
		{"OFFER_NAME", "offer_name", o.OfferName},
		{"IMG_PATH", "img_path", o.ImgPath},
		{"PLACE", "place", o.Place},
		{"URL", "url", o.URL},
	} {
		h.fields[f.field] = c.field(f.option, f.field, f.text)
	}
	if o.UserName == "" && o.OfferName == "" {
		c.add("USER_NAME", errors.New("missing, and OFFER_NAME is too; say where a name or an offer is, such as customer.first_name"))
	}
	c.add("KIND", checkField("kind", o.Kind))
	h.when, h.retractWhen = c.conditions("WHEN", o.When), c.conditions("RETRACT_WHEN", o.RetractWhen)
	h.key = c.key(o)
	if err := errors.Join(c.found...); err != nil {
		return nil, err
	}
	return h, nil
}

// Name returns the name of the hook.
func (h *Hook) Name() string { return h.name }

// Site returns the name of the site that gets the signups.
func (h *Hook) Site() string { return h.site }

// SetSecrets replaces the signing secrets, also while deliveries are verified. The error names the first wrong one by its position; the
// previous secrets then stay.
func (h *Hook) SetSecrets(secrets []string) error {
	if len(secrets) == 0 {
		return errors.New("missing; copy the signing secret from the sender")
	}
	var keys [][]byte
	for i, secret := range secrets {
		key, err := keyOf(h.from, secret)
		if err != nil {
			return fmt.Errorf("secret %d %w", i+1, err)
		}
		keys = append(keys, key)
	}
	h.secrets.Store(&keys)
	return nil
}

// check collects the problems of options.
type check struct{ found []error }

func (c *check) add(option string, err error) {
	if err != nil {
		c.found = append(c.found, &OptionError{Option: option, Rule: err.Error()})
	}
}

func (c *check) name(o Options) {
	if !stream.ValidSite(o.Name) {
		c.add("NAME", errors.New("not a name for a webhook; use 1 to 63 of a-z, 0-9 and -"))
	}
	if !slices.Contains(Senders, o.From) {
		c.add("FROM", errors.New("write who sends: "+strings.Join(Senders, ", ")))
	}
}

func (c *check) scheme(o Options) scheme {
	switch {
	case o.From == "hmac":
		s, err := parseTemplate(o.Signature)
		c.add("SIGNATURE", err)
		return s
	case o.Signature != "":
		c.add("SIGNATURE", errors.New("only with FROM hmac; unset it, the sender's way of signing is known"))
	}
	return schemes[o.From]
}

// field returns a source of a signup's field, and checks the literals in it as New of package signup would.
func (c *check) field(option, field, text string) source {
	s, err := parseSource(text)
	c.add(option, err)
	for _, a := range s {
		if a.literal != "" {
			c.add(option, checkField(field, a.literal))
		}
	}
	return s
}

// checkField returns which rule of a signup a value breaks.
func checkField(field, value string) error {
	_, err := signup.New(signup.Fields{field: value})
	if rule, ok := errors.AsType[*signup.RuleError](err); ok {
		return errors.New(rule.Rule)
	}
	return err
}

func (c *check) conditions(option, text string) []condition {
	list, err := parseConditions(text)
	c.add(option, err)
	return list
}

func (c *check) key(o Options) source {
	s, err := parseSource(o.Key)
	for _, a := range s {
		if a.literal != "" {
			err = cmp.Or(err, errors.New("must not be a text, which would be the same for all deliveries; write a path, such as order.id"))
		}
	}
	if o.Key == "" && o.RetractWhen != "" {
		err = errors.New("missing, and RETRACT_WHEN needs it; write the path of an order's id, such as order.id")
	}
	c.add("KEY", err)
	return s
}
