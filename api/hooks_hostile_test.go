package api

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"proofstream/api/hook"
	"proofstream/api/hook/hooktest"
)

// hostile is a delivery that must make no event.
type hostile struct {
	name, to string
	d        hooktest.Delivery
	want     int // status
}

// No forged, replayed, damaged or senseless delivery makes an event, withdraws one, or ends in another status than it should.
func TestHostileDeliveriesMakeNothing(t *testing.T) {
	h := serve(t, withHooks(t), behindProxy, func(o *setup) {
		o.Hooks = append(o.Hooks, compile(t, hook.Options{Name: "plain", Site: "default", From: "hmac", Secrets: []string{plainSecret},
			Signature: "X-Signature=sha256=hex", UserName: "customer.name", OfferName: "items.0.title"}))
	})
	kept := h.post(t, `{"user_name":"Ada"}`)
	var all []hostile
	for _, s := range hooktest.Senders() {
		all = append(all, forgeries(s)...)
	}
	all = append(all, timestamps()...)
	all = append(all, headers(aForm(t))...)
	all = append(all, bodies(aForm(t))...)
	all = append(all, senseless()...)
	if len(all) < 100 {
		t.Errorf("%d deliveries, want 100 at least", len(all))
	}
	for i, bad := range all {
		got := h.request(t, "POST", "/hooks/"+bad.to, bad.d.Body, append(bad.d.Headers(), fromAddress(i))...)
		if got.status != bad.want {
			t.Errorf("%s to %s: got %d %.200s, want %d", bad.name, bad.to, got.status, got.body, bad.want)
		}
	}
	got := h.request(t, "GET", "/recent?limit=20", "")
	if !strings.HasPrefix(got.body, `{"events":[{"id":"`+kept+`"`) || strings.Count(got.body, `"id":`) != 1 {
		t.Errorf("the log has %s, want only %s", got.body, kept)
	}
}

// forgeries are deliveries that the sender has not signed so.
func forgeries(s hooktest.Sender) []hostile {
	now := time.Now()
	signed := hooktest.Sign(s.From, s.Secret, now, s.Order)
	another := "YW5vdGhlciBzZWNyZXQ=" // base64, for Standard Webhooks
	name := map[string]string{"stripe": "Stripe-Signature", "shopify": "X-Shopify-Hmac-Sha256", "woocommerce": "X-WC-Webhook-Signature",
		"github": "X-Hub-Signature-256", "standard": "webhook-signature", "hmac": "X-Signature"}[s.From]
	signature := signed.Header[name]
	with := func(value string) hooktest.Delivery { return signed.With(name, value) }
	altered := hooktest.Delivery{Header: signed.Header, Body: strings.Replace(signed.Body, "a", "b", 1)}
	shorter := hooktest.Delivery{Header: signed.Header, Body: signed.Body[:len(signed.Body)-1]}
	longer := hooktest.Delivery{Header: signed.Header, Body: signed.Body + "\n"}
	swapped := hooktest.Sign(s.From, s.Secret, now, s.Refund)
	swapped.Body = s.Order.Body
	header := maps.Clone(signed.Header)
	delete(header, name)
	return []hostile{
		{"no signature", s.From, s.Order, 401},
		{"its own header alone missing", s.From, hooktest.Delivery{Header: header, Body: signed.Body}, 401},
		{"an empty signature", s.From, with(""), 401},
		{"another secret", s.From, hooktest.Sign(s.From, another, now, s.Order), 401},
		{"another secret for a withdrawal", s.From, hooktest.Sign(s.From, another, now, s.Refund), 401},
		{"the signature of another body", s.From, swapped, 401},
		{"a body with one letter changed", s.From, altered, 401},
		{"a truncated body", s.From, shorter, 401},
		{"a line end after the body", s.From, longer, 401},
		{"a truncated signature", s.From, with(signature[:len(signature)/2]), 401},
		{"the signature in capitals", s.From, with(strings.ToUpper(signature)), 401},
		{"a word for the signature", s.From, with("undefined"), 401},
		{"no digest", s.From, with("sha256="), 401},
		{"a body of nothing with that signature", s.From, hooktest.Delivery{Header: signed.Header}, 401},
		{"the delivery of another sender", otherThan(s.From), signed, 401},
		{"a compressed body", s.From, compressed(s), 415},
		{"a compressed body that does not say so", s.From, hooktest.Delivery{Header: signed.Header, Body: compressed(s).Body}, 401},
		{"one byte over 1 MiB", s.From, hooktest.Sign(s.From, s.Secret, now, hooktest.Delivery{Body: s.Order.Body + strings.Repeat(" ", 1<<20+1-len(s.Order.Body))}), 413},
	}
}

// otherThan returns the name of another sender's webhook.
func otherThan(from string) string {
	if from == "hmac" {
		return "shopify"
	}
	return "hmac"
}

// compressed returns a delivery whose compressed body is signed.
func compressed(s hooktest.Sender) hooktest.Delivery {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s.Order.Body))
	z.Close()
	return hooktest.Sign(s.From, s.Secret, time.Now(), hooktest.Delivery{Header: s.Order.Header, Body: b.String()}.With("Content-Encoding", "gzip"))
}

// timestamps are deliveries whose signed time is wrong.
func timestamps() (all []hostile) {
	now := time.Now()
	for _, s := range hooktest.Senders() {
		if s.From != "stripe" && s.From != "standard" {
			continue
		}
		for _, off := range []time.Duration{-time.Hour, -6 * time.Minute, 6 * time.Minute, 365 * 24 * time.Hour} {
			all = append(all, hostile{fmt.Sprintf("replayed %v off", off), s.From, hooktest.Sign(s.From, s.Secret, now.Add(off), s.Order), 401})
		}
		old, fresh := hooktest.Sign(s.From, s.Secret, now.Add(-time.Hour), s.Order), hooktest.Sign(s.From, s.Secret, now, s.Order)
		moved, seconds := old.With("webhook-timestamp", fmt.Sprint(now.Unix())), fmt.Sprint(now.Unix())
		if s.From == "stripe" {
			moved = old.With("Stripe-Signature", "t="+seconds+strings.TrimLeft(strings.TrimPrefix(old.Header["Stripe-Signature"], "t="), "0123456789"))
		}
		all = append(all, hostile{"an old signature with a new time", s.From, moved, 401})
		for _, time := range []string{"", "0", "-1", "+" + seconds, " " + seconds, seconds + ".0", seconds + "000", "0" + seconds, "now", "99999999999999999999"} {
			bad := fresh.With("webhook-timestamp", time)
			if s.From == "stripe" {
				bad = fresh.With("Stripe-Signature", strings.Replace(fresh.Header["Stripe-Signature"], "t="+seconds, "t="+time, 1))
			}
			if s.From == "standard" && strings.TrimSpace(time) == seconds {
				continue // HTTP drops white space around a value
			}
			all = append(all, hostile{fmt.Sprintf("the time %q", time), s.From, bad, 401})
		}
	}
	return all
}

// headers are deliveries of the generic sender with a header that is nearly right.
func headers(s hooktest.Sender) (all []hostile) {
	signed := hooktest.Sign(s.From, s.Secret, time.Now(), s.Order)
	value := signed.Header["X-Signature"]
	digest := strings.TrimPrefix(value, "sha256=")
	for _, wrong := range []string{digest, "sha1=" + digest, "sha256:" + digest, "SHA256=" + digest, "sha256=" + value, "sha256= " + digest, "sha256=" + digest + " ",
		value + "," + value, "sha256=" + digest[2:], "sha256=" + strings.Repeat("0", 64), "sha256=" + digest + "=", `sha256="` + digest + `"`} {
		if strings.TrimSpace(wrong) == value {
			continue // HTTP drops white space around a value
		}
		all = append(all, hostile{fmt.Sprintf("the header %.20q", wrong), s.From, signed.With("X-Signature", wrong), 401})
	}
	for _, name := range []string{"X-Signature-256", "Signature", "X-Hub-Signature-256", "Authorization"} {
		all = append(all, hostile{"the signature in " + name, s.From, hooktest.Delivery{Body: signed.Body}.With(name, value), 401})
	}
	return all
}

// bodies are deliveries of the generic sender, rightly signed, that hold no signup. Its offer is a literal, so they are 400, or 422 for a rule.
func bodies(s hooktest.Sender) (all []hostile) {
	for body, want := range map[string]int{
		"":                     400,
		"null":                 400,
		`"text"`:               400,
		"17":                   400,
		"true":                 400,
		"{":                    400,
		`{"entry":`:            400,
		`{"entry":{}}}`:        400,
		`{} {}`:                400,
		`{"entry":{},}`:        400,
		`{"a":1,"a":2}`:        400,
		"{\"entry\":\"\xff\"}": 400,
		"{\"entry\":\"\x00\"}": 400,
		`{'entry':1}`:          400,
		"name=Ada":             400,
		"<entry>Ada</entry>":   400,
		"\x1f\x8b\x08\x00":     400,
		strings.Repeat("[", 101) + strings.Repeat("]", 101):               400,
		strings.Repeat(`{"entry":`, 50_000):                               400,
		strings.Repeat("[", 1<<20):                                        400,
		`{"entry":{"name":"A\u0000da"}}`:                                  422,
		`{"entry":{"name":"A\u001b[2Jda"}}`:                               422,
		`{"entry":{"name":"A\u202eda"}}`:                                  422,
		`{"entry":{"name":"A\u2060da"}}`:                                  422,
		`{"entry":{"name":"A\ud83dda"}}`:                                  422,
		`{"entry":{"name":"A\u202e` + strings.Repeat("a", 10_000) + `"}}`: 422,
	} {
		all = append(all, hostile{fmt.Sprintf("the body %.30q", body), s.From, hooktest.Sign(s.From, s.Secret, time.Now(), hooktest.Delivery{Body: body}), want})
	}
	return all
}

// plainSecret is that of the webhook plain, which has no literals and no conditions.
const plainSecret = "the secret of plain"

// senseless are rightly signed deliveries to the webhook plain whose name and offer are nothing that a card can show.
func senseless() (all []hostile) {
	values := []string{`null`, `""`, `" \t"`, `"\u200b"`, `{}`, `{"name":"Ada"}`, `[]`, `["Ada"]`, `[[["Ada"]]]`}
	for _, name := range values {
		for _, title := range values {
			all = append(all, hostile{"", "plain", hooktest.Delivery{Body: `{"customer":{"name":` + name + `},"items":[{"title":` + title + `}]}`}, 422})
		}
	}
	for _, body := range []string{`{}`, `[]`, `{"customer":"Ada","items":"Tote"}`, `{"customer":["Ada"],"items":{"1":{"title":"Tote"}}}`,
		`{"customer":{"Name":"Ada"},"items":[]}`, `{"customer.name":"Ada","items.0.title":"Tote"}`, `{"Customer":{"name":"Ada"}}`, `[{"customer":{"name":"Ada"}}]`} {
		all = append(all, hostile{"", "plain", hooktest.Delivery{Body: body}, 422})
	}
	for i, bad := range all {
		all[i].name = "the body " + bad.d.Body
		all[i].d = hooktest.Sign("hmac", plainSecret, time.Now(), bad.d)
	}
	return all
}
