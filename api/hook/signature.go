package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tolerance is how much older or newer than now a signed timestamp may be.
const tolerance = 5 * time.Minute

// claim is what a delivery says of its signature, an HMAC-SHA256.
type claim struct {
	before  string              // signed before the body
	digests []string            // one of which must be right
	encode  func([]byte) string // writes a digest
	signed  string              // Unix time in seconds that is part of before; empty when the sender signs none
}

// scheme reads the claim of a delivery. The error is one of those below.
type scheme func(http.Header) (claim, error)

// Errors of Verify. ErrUnsigned is that of a delivery that has no signature at all.
var (
	ErrUnsigned  = errors.New("the delivery has no signature header: look for who else posts to this address")
	ErrSignature = errors.New("the signature is not of this body with a known secret: check the signing secret, and that no proxy changes the body")
	ErrStale     = errors.New("the signed time is more than 5 minutes off: check the clocks, or this is a replay")
	errHeader    = errors.New("the signature header cannot be read: check FROM and SIGNATURE")
)

// schemes are those of the senders, except hmac, whose scheme its option SIGNATURE describes.
var schemes = map[string]scheme{
	"stripe":      stripeClaim,
	"shopify":     digestIn("X-Shopify-Hmac-Sha256", "", "", toBase64),
	"woocommerce": digestIn("X-WC-Webhook-Signature", "", "", toBase64),
	"github":      digestIn("X-Hub-Signature-256", "sha256=", "", hex.EncodeToString),
	"standard":    standardClaim,
}

var toBase64 = base64.StdEncoding.EncodeToString

// Verify returns nil if one of the secrets has signed the body and, where the sender signs the time, that was within 5 minutes before or after
// now. It compares digests in constant time. The error is one of the above, whose text is for the operator's log only.
func (h *Hook) Verify(header http.Header, body []byte, now time.Time) error {
	c, err := h.scheme(header)
	if err != nil {
		return err
	}
	right := 0
	for _, secret := range *h.secrets.Load() {
		mac := hmac.New(sha256.New, secret)
		io.WriteString(mac, c.before)
		mac.Write(body)
		want := []byte(c.encode(mac.Sum(nil)))
		for _, digest := range c.digests {
			right |= subtle.ConstantTimeCompare([]byte(digest), want)
		}
	}
	if right == 0 {
		return ErrSignature
	}
	if c.signed != "" {
		return checkTime(c.signed, now)
	}
	return nil
}

func checkTime(seconds string, now time.Time) error {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || n < 0 || n > 1<<40 || strconv.FormatInt(n, 10) != seconds {
		return errHeader
	}
	if off := now.Sub(time.Unix(n, 0)); off > tolerance+time.Second || off < -tolerance { // whole seconds are cut off
		return ErrStale
	}
	return nil
}

// theOnly returns the value of a header that must be there once.
func theOnly(header http.Header, name string) (string, error) {
	switch values := header.Values(name); {
	case len(values) == 0 || values[0] == "":
		return "", ErrUnsigned
	case len(values) > 1:
		return "", errHeader
	default:
		return values[0], nil
	}
}

// digestIn returns the scheme of a header that has one digest of the body between two texts.
func digestIn(name, prefix, suffix string, encode func([]byte) string) scheme {
	return func(header http.Header) (claim, error) {
		value, err := theOnly(header, name)
		if err != nil {
			return claim{}, err
		}
		digest, begins := strings.CutPrefix(value, prefix)
		digest, ends := strings.CutSuffix(digest, suffix)
		if !begins || !ends {
			return claim{}, errHeader
		}
		return claim{digests: []string{digest}, encode: encode}, nil
	}
}

// stripeClaim reads t=TIME,v1=HEX[,v1=HEX …] (docs.stripe.com/webhooks, "verify manually"). Signatures of other versions do not count.
func stripeClaim(header http.Header) (claim, error) {
	value, err := theOnly(header, "Stripe-Signature")
	if err != nil {
		return claim{}, err
	}
	c := claim{encode: hex.EncodeToString}
	for part := range strings.SplitSeq(value, ",") {
		switch name, text, _ := strings.Cut(strings.TrimSpace(part), "="); name {
		case "t":
			if c.signed != "" {
				return claim{}, errHeader
			}
			c.signed = text
		case "v1":
			c.digests = append(c.digests, text)
		}
	}
	if c.signed == "" {
		return claim{}, errHeader
	}
	c.before = c.signed + "."
	return c, nil
}

// standardClaim reads the headers of Standard Webhooks (www.standardwebhooks.com). Signatures of other versions than v1 do not count.
func standardClaim(header http.Header) (claim, error) {
	var values [3]string
	for i, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		value, err := theOnly(header, name)
		if err != nil {
			return claim{}, err
		}
		values[i] = value
	}
	c := claim{before: values[0] + "." + values[1] + ".", signed: values[1], encode: toBase64}
	for part := range strings.FieldsSeq(values[2]) {
		if digest, found := strings.CutPrefix(part, "v1,"); found {
			c.digests = append(c.digests, digest)
		}
	}
	return c, nil
}

// parseTemplate parses HEADER=TEMPLATE. The template has the word hex or base64 where the digest stands, such as X-Signature=sha256=hex. Digits of
// a hex digest may be in either case.
func parseTemplate(text string) (scheme, error) {
	name, template, _ := strings.Cut(text, "=")
	name, template = strings.TrimSpace(name), strings.TrimSpace(template)
	if !isHeaderName(name) {
		return nil, errors.New("required with FROM hmac; write HEADER=hex or HEADER=base64, such as X-Signature=sha256=hex")
	}
	word, encode := "hex", hex.EncodeToString
	at := strings.LastIndex(template, word)
	if other := strings.LastIndex(template, "base64"); other > at {
		word, encode, at = "base64", toBase64, other
	}
	if at < 0 {
		return nil, errors.New("must have hex or base64 where the digest stands, such as X-Signature=sha256=hex")
	}
	digest := digestIn(name, template[:at], template[at+len(word):], encode)
	if word == "base64" {
		return digest, nil
	}
	return func(header http.Header) (claim, error) {
		c, err := digest(header)
		for i := range c.digests {
			c.digests[i] = strings.ToLower(c.digests[i])
		}
		return c, err
	}, nil
}

// keyOf returns the key of a secret: its bytes, or, for Standard Webhooks, what it is the base64 of, after whsec_. The error is the rest of a
// sentence without the secret.
func keyOf(from, secret string) ([]byte, error) {
	if secret == "" {
		return nil, errors.New("is empty; copy the signing secret from the sender")
	}
	if from != "standard" {
		return []byte(secret), nil
	}
	text := strings.TrimRight(strings.TrimPrefix(secret, "whsec_"), "=")
	key, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(key) == 0 {
		return nil, errors.New("is not base64, with or without whsec_ before it; copy the whole signing secret from the sender")
	}
	return key, nil
}
