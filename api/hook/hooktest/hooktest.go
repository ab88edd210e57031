// Package hooktest makes deliveries of webhooks as their senders do. It is written from the senders' documentation, and imports nothing of this
// project.
package hooktest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
)

// Delivery is a request to a webhook.
type Delivery struct {
	Header map[string]string
	Body   string
}

// With returns the delivery with another header.
func (d Delivery) With(name, value string) Delivery {
	header := maps.Clone(d.Header)
	if header == nil {
		header = map[string]string{}
	}
	header[name] = value
	return Delivery{header, d.Body}
}

// Headers returns the headers as "Name: value".
func (d Delivery) Headers() (list []string) {
	for name, value := range d.Header {
		list = append(list, name+": "+value)
	}
	return list
}

// Sign returns the delivery with the signature that a sender makes with a secret at a time.
func Sign(from, secret string, at time.Time, d Delivery) Delivery {
	switch seconds := fmt.Sprint(at.Unix()); from {
	case "stripe":
		return d.With("Stripe-Signature", "t="+seconds+",v1="+hex.EncodeToString(mac(secret, seconds+"."+d.Body))+",v0="+strings.Repeat("6f", 32))
	case "shopify":
		return d.With("X-Shopify-Hmac-Sha256", base64.StdEncoding.EncodeToString(mac(secret, d.Body)))
	case "woocommerce":
		return d.With("X-WC-Webhook-Signature", base64.StdEncoding.EncodeToString(mac(secret, d.Body)))
	case "github":
		return d.With("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac(secret, d.Body)))
	case "standard":
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			panic(err)
		}
		id := "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"
		if own := d.Header["webhook-id"]; own != "" {
			id = own
		}
		digest := base64.StdEncoding.EncodeToString(mac(string(key), id+"."+seconds+"."+d.Body))
		return d.With("webhook-id", id).With("webhook-timestamp", seconds).With("webhook-signature", "v1a,c2lnbmF0dXJl v1,"+digest)
	case "hmac":
		return d.With("X-Signature", "sha256="+hex.EncodeToString(mac(secret, d.Body)))
	}
	panic("no sender " + from)
}

// mac returns the HMAC-SHA256 of a text.
func mac(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// object is a JSON object.
type object = map[string]any

// list is a JSON array.
type list = []any

// body returns a value as senders write it: without escapes for HTML.
func body(value any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}
