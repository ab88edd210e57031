package hook

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"proofstream/api/hook/hooktest"
)

// The examples of the senders' own documentation, signed by them.
func TestPublishedExamplesVerify(t *testing.T) {
	for _, tt := range []struct {
		name, from, secret, body string
		header                   http.Header
		at                       int64
	}{
		{"GitHub", "github", "It's a Secret to Everybody", "Hello, World!",
			http.Header{"X-Hub-Signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}}, 0},
		{"Standard Webhooks", "standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"test": 2432232314}`,
			http.Header{"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"},
				"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}}, 1614265330},
	} {
		h := compile(t, Options{Name: "a", From: tt.from, Secrets: []string{tt.secret}})
		if err := h.Verify(tt.header, []byte(tt.body), time.Unix(tt.at, 0)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestSignedTimesMayBeFiveMinutesOff(t *testing.T) {
	for _, s := range hooktest.Senders() {
		if s.From != "stripe" && s.From != "standard" {
			continue
		}
		h := compile(t, optionsOf(s))
		for off, want := range map[time.Duration]error{
			0: nil, 5 * time.Minute: nil, -5 * time.Minute: nil, 302 * time.Second: ErrStale, -302 * time.Second: ErrStale, 24 * time.Hour: ErrStale,
		} {
			d := hooktest.Sign(s.From, s.Secret, now.Add(off), s.Order)
			if got := h.Verify(headerOf(d), []byte(d.Body), now); !errors.Is(got, want) {
				t.Errorf("%s, %v off: got %v, want %v", s.From, off, got, want)
			}
		}
	}
}

func TestAnyOfSeveralSecretsMaySign(t *testing.T) {
	for _, s := range hooktest.Senders() {
		other := s
		other.Secret = "bmV4dCBzZWNyZXQ=" // base64, for Standard Webhooks
		o := optionsOf(s)
		o.Secrets = []string{s.Secret, other.Secret}
		h := compile(t, o)
		verify := func(secret string) error {
			d := hooktest.Sign(s.From, secret, now, s.Order)
			return h.Verify(headerOf(d), []byte(d.Body), now)
		}
		if err := errors.Join(verify(s.Secret), verify(other.Secret)); err != nil {
			t.Errorf("%s: with both secrets: %v", s.From, err)
		}
		if err := h.SetSecrets(nil); err == nil {
			t.Errorf("%s: no secret is accepted", s.From)
		}
		if err := h.SetSecrets([]string{other.Secret}); err != nil {
			t.Fatal(err)
		}
		if err := verify(s.Secret); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: the removed secret: got %v, want %v", s.From, err, ErrSignature)
		}
		if err := verify(other.Secret); err != nil {
			t.Errorf("%s: the new secret: %v", s.From, err)
		}
	}
}

// During a rotation Stripe and Standard Webhooks send one signature for each secret.
func TestAnyOfSeveralSignaturesMayBeRight(t *testing.T) {
	senders := hooktest.Senders()
	for from, name := range map[string]string{"stripe": "Stripe-Signature", "standard": "webhook-signature"} {
		for _, s := range senders {
			if s.From != from {
				continue
			}
			first := hooktest.Sign(from, "b2xkIHNlY3JldA==", now, s.Order)
			second := hooktest.Sign(from, s.Secret, now, s.Order)
			separator := map[string]string{"stripe": ",", "standard": " "}[from]
			both := first.With(name, strings.TrimSuffix(first.Header[name], ",v0="+strings.Repeat("6f", 32))+separator+withoutTime(second.Header[name]))
			if err := compile(t, optionsOf(s)).Verify(headerOf(both), []byte(both.Body), now); err != nil {
				t.Errorf("%s: %q: %v", from, both.Header[name], err)
			}
		}
	}
}

// withoutTime removes t=TIME, from a signature of Stripe.
func withoutTime(signature string) string {
	if _, rest, found := strings.Cut(signature, ",v1="); found && strings.HasPrefix(signature, "t=") {
		return "v1=" + rest
	}
	return signature
}

func TestTheTemplateSaysWhereTheDigestIs(t *testing.T) {
	const digestHex = "5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0" // of "" with the key "key"
	const digest64 = "XV0TlWPJW1lnub2ajJsjOp3ttFByeUzSMtwbdIMmB9A="
	for _, tt := range []struct {
		name, template, value string
		want                  error
	}{
		{"hex", "X-S=hex", digestHex, nil},
		{"hex in capitals", "X-S=hex", strings.ToUpper(digestHex), nil},
		{"base64", "X-S=base64", digest64, nil},
		{"base64 in another case", "X-S=base64", strings.ToLower(digest64), ErrSignature},
		{"a prefix", "X-S=sha256=hex", "sha256=" + digestHex, nil},
		{"a prefix and a suffix", "X-S=v1:base64;", "v1:" + digest64 + ";", nil},
		{"a prefix with the other word", "X-S=base64:hex", "base64:" + digestHex, nil},
		{"the prefix is missing", "X-S=sha256=hex", digestHex, errHeader},
		{"the suffix is missing", "X-S=hex;", digestHex, errHeader},
		{"a prefix that is not in the template", "X-S=hex", "sha256=" + digestHex, ErrSignature},
		{"hex for base64", "X-S=base64", digestHex, ErrSignature},
		{"white space around it", " X-S = hex ", digestHex, nil},
		{"one digit less", "X-S=hex", digestHex[1:], ErrSignature},
		{"nothing", "X-S=hex", "", ErrUnsigned},
	} {
		h := compile(t, Options{Name: "a", From: "hmac", Secrets: []string{"key"}, Signature: tt.template, UserName: "name"})
		if got := h.Verify(http.Header{"X-S": {tt.value}}, nil, now); !errors.Is(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// No header verifies that was not made with a secret, and none panics.
func FuzzSignatureHeader(f *testing.F) {
	for _, seed := range []string{"", "t=1,v1=", "t=1795840000,v1=00", "sha256=", "v1, v1,AA==", "t=,v1=", "t=1,t=2", "v1"} {
		f.Add(seed, "1795840000", "body")
	}
	var hooks []*Hook
	for _, from := range Senders {
		o := Options{Name: "a", From: from, Secrets: []string{"c2VjcmV0"}}
		if from == "hmac" {
			o.Signature, o.UserName = "X-Signature=sha256=hex", "name"
		}
		hooks = append(hooks, compile(f, o))
	}
	f.Fuzz(func(t *testing.T, value, seconds, body string) {
		header := http.Header{"Webhook-Id": {"1"}, "Webhook-Timestamp": {seconds}}
		for _, name := range []string{"Stripe-Signature", "X-Shopify-Hmac-Sha256", "X-Wc-Webhook-Signature", "X-Hub-Signature-256",
			"Webhook-Signature", "X-Signature"} {
			header[name] = []string{value}
		}
		for _, h := range hooks {
			if h.Verify(header, []byte(body), now) == nil {
				t.Errorf("%s accepts %q", h.from, value)
			}
		}
	})
}

// Of two signature headers one may be forged, and parsers differ on which counts.
func TestASecondSignatureHeaderIsRefused(t *testing.T) {
	names := map[string][]string{"stripe": {"Stripe-Signature"}, "shopify": {"X-Shopify-Hmac-Sha256"}, "woocommerce": {"X-WC-Webhook-Signature"},
		"github": {"X-Hub-Signature-256"}, "standard": {"webhook-id", "webhook-timestamp", "webhook-signature"}, "hmac": {"X-Signature"}}
	for _, s := range hooktest.Senders() {
		for _, name := range names[s.From] {
			d := hooktest.Sign(s.From, s.Secret, now, s.Order)
			for _, second := range []string{"", "1", d.Header[name]} {
				header := headerOf(d)
				header.Add(name, second)
				if err := compile(t, optionsOf(s)).Verify(header, []byte(d.Body), now); err == nil {
					t.Errorf("%s: a second %s of %q is accepted", s.From, name, second)
				}
			}
		}
	}
}
