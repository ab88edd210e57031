package hook

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"proofstream/stream/signup"
)

// Action is what a delivery asks for.
type Action uint8

const (
	// Ignore means that a condition of When does not hold.
	Ignore Action = iota
	// Ping means that the sender only checks the address.
	Ping
	// Publish means that the delivery is a signup.
	Publish
	// Retract means that the signup with the delivery's key is withdrawn.
	Retract
)

// Delivery is what Read found.
type Delivery struct {
	Action Action
	Fields signup.Fields // what Signup was made from; with Publish only
	Signup signup.Signup // with Publish only
	// Key is the idempotency key of the signup, 1 to 128 characters of printable ASCII; empty when the delivery has no value for it. A value of
	// another form is replaced by the hex digits of its SHA-256.
	Key string
}

// ErrEmpty says that a delivery has neither a name nor an offer.
var ErrEmpty = errors.New("the delivery holds neither a name nor an offer")

// unsignedPing is the body with which WooCommerce checks an address. It has no signature.
var unsignedPing = regexp.MustCompile(`^webhook_id=[0-9]{1,20}$`)

// IsPing reports whether a body is one with which the sender checks the address without signing it.
func (h *Hook) IsPing(body []byte) bool { return h.from == "woocommerce" && unsignedPing.Match(body) }

// Read returns what a verified delivery asks for. The error is an *UnreadableError, a *signup.RuleError, or ErrEmpty. Texts that are too long
// are shortened, and addresses that break a rule are left out: the sender could not mend them.
func (h *Hook) Read(header http.Header, body []byte) (Delivery, error) {
	if h.from == "github" && header.Get("X-GitHub-Event") == "ping" {
		return Delivery{Action: Ping}, nil
	}
	doc, err := parseDocument(h.jsonIn(header, body))
	if err != nil {
		return Delivery{}, err
	}
	m := message{header, doc}
	key := keyText(h.key.text(m))
	switch {
	case len(h.retractWhen) > 0 && allHold(h.retractWhen, m):
		return Delivery{Action: Retract, Key: key}, nil
	case !allHold(h.when, m):
		return Delivery{Action: Ignore}, nil
	}
	fields := h.read(m)
	made, err := signup.New(fields)
	if err != nil {
		return Delivery{}, err
	}
	if made.UserNameBlank && made.OfferNameBlank {
		return Delivery{}, ErrEmpty
	}
	return Delivery{Publish, fields, made, key}, nil
}

// read returns the fields of the signup in a message.
func (h *Hook) read(m message) signup.Fields {
	fields := signup.Fields{"kind": h.kind}
	for name, from := range h.fields {
		text := from.text(m)
		switch name {
		case "img_path", "url":
			if checkField(name, text) == nil {
				fields[name] = text
			}
		default:
			fields[name] = signup.Shorten(text)
		}
	}
	return fields
}

// maxKey is the length of the longest idempotency key, in bytes.
const maxKey = 128

// keyText returns the idempotency key for a value.
func keyText(value string) string {
	if len(value) <= maxKey && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return value
	}
	digest := sha256.Sum256([]byte(value))
	return hex.EncodeToString(digest[:])
}
