package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"proofstream/api/auth"
	"proofstream/api/hook"
	"proofstream/api/hook/hooktest"
	"proofstream/stream/signup"
	"proofstream/stream/ssetest"
)

// withHooks serves one webhook for each sender, named as it is.
func withHooks(t *testing.T) func(*setup) {
	return func(o *setup) {
		for _, s := range hooktest.Senders() {
			v := s.Options
			o.Hooks = append(o.Hooks, compile(t, hook.Options{Name: s.From, Site: "default", From: s.From, Secrets: []string{s.Secret},
				Signature: v["SIGNATURE"], UserName: v["USER_NAME"], OfferName: v["OFFER_NAME"], ImgPath: v["IMG_PATH"], Place: v["PLACE"],
				URL: v["URL"], Kind: v["KIND"], When: v["WHEN"], RetractWhen: v["RETRACT_WHEN"], Key: v["KEY"]}))
		}
	}
}

func compile(t *testing.T, o hook.Options) *hook.Hook {
	t.Helper()
	h, err := hook.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// deliver posts a delivery that its sender signs now.
func (h *harness) deliver(t testing.TB, s hooktest.Sender, d hooktest.Delivery) response {
	t.Helper()
	d = hooktest.Sign(s.From, s.Secret, time.Now(), d)
	return h.request(t, "POST", "/hooks/"+s.From, d.Body, d.Headers()...)
}

// aForm is the generic sender, whose body a test may choose.
func aForm(t testing.TB) hooktest.Sender {
	t.Helper()
	for _, s := range hooktest.Senders() {
		if s.From == "hmac" {
			return s
		}
	}
	t.Fatal("no sender hmac")
	return hooktest.Sender{}
}

func TestADeliveryIsStoredOnceAndWithdrawn(t *testing.T) {
	h := serve(t, withHooks(t))
	for _, s := range hooktest.Senders() {
		page := h.open(t, "/events")
		page.next(t, 1)
		for i, step := range []struct {
			of   hooktest.Delivery
			want string
		}{
			{s.Refund, "nothing to withdraw"}, {s.Order, "stored"}, {s.Order, "duplicate"}, {s.Refund, "withdrawn"}, {s.Order, "duplicate"},
		} {
			if got := h.deliver(t, s, step.of); got.status != 200 || !strings.HasPrefix(got.body, step.want) {
				t.Errorf("%s, delivery %d: got %d %s, want %s", s.From, i+1, got.status, got.body, step.want)
			}
		}
		events := page.next(t, 2)
		want := strings.TrimSuffix(s.Data, "}") + `,"at":`
		if events[0].Kind != "signup" || !strings.HasPrefix(events[0].Data, want) {
			t.Errorf("%s: got %s %s, want %s", s.From, events[0].Kind, events[0].Data, want)
		}
		if events[1].Kind != "retract" || ssetest.Field(events[1].Data, "id") != events[0].ID {
			t.Errorf("%s: got %s %s, want the retraction of %s", s.From, events[1].Kind, events[1].Data, events[0].ID)
		}
		page.cut()
		h.awaitMetric(t, `proofstream_hooks_total{hook="`+s.From+`",outcome="duplicate"} 2`)
		h.awaitMetric(t, `proofstream_hooks_total{hook="`+s.From+`",outcome="withdrawn"} 1`)
	}
}

// The key is that of posts: what a backend has posted, a delivery does not repeat, and can withdraw.
func TestAKeyIsSharedWithPosts(t *testing.T) {
	h, s := serve(t, withHooks(t)), aForm(t)
	h.request(t, "POST", "/signup", "user_name=Ada", asOwner, "Idempotency-Key: "+s.Key)
	if got := h.deliver(t, s, s.Order); !strings.HasPrefix(got.body, "duplicate") {
		t.Errorf("the order: got %d %s", got.status, got.body)
	}
	if got := h.deliver(t, s, s.Refund); got.body != "withdrawn" {
		t.Errorf("the refund: got %d %s", got.status, got.body)
	}
}

func TestTheNamesPolicyIsThatOfTheSite(t *testing.T) {
	h := serve(t, withHooks(t), func(o *setup) { o.Sites[0].Names = signup.InitialNames })
	for _, s := range hooktest.Senders() {
		h.deliver(t, s, s.Order)
	}
	if got := h.request(t, "GET", "/recent?limit=20", ""); strings.Contains(got.body, "Ada") || strings.Count(got.body, `"user_name":"A."`) != 5 {
		t.Errorf("got %s", got.body)
	}
}

func TestPingsGet200AndMakeNothing(t *testing.T) {
	h := serve(t, withHooks(t))
	if got := h.request(t, "POST", "/hooks/woocommerce", "webhook_id=5"); got.status != 200 || !strings.HasPrefix(got.body, "ping") {
		t.Errorf("woocommerce: got %d %s", got.status, got.body)
	}
	for _, s := range hooktest.Senders() {
		if s.From == "github" {
			got := h.deliver(t, s, hooktest.Delivery{Body: `{"zen":"Design for failure.","hook_id":1}`}.With("X-GitHub-Event", "ping"))
			if got.status != 200 || !strings.HasPrefix(got.body, "ping") {
				t.Errorf("github: got %d %s", got.status, got.body)
			}
		}
	}
	if _, n, err := h.o.Registry.Numbers(t.Context(), "default"); n != 0 || err != nil {
		t.Errorf("%d events, error %v, want none", n, err)
	}
}

func TestAHookHasOneAddressAndOneMethod(t *testing.T) {
	h, s := serve(t, withHooks(t)), aForm(t)
	d := hooktest.Sign(s.From, s.Secret, time.Now(), s.Order)
	for path, want := range map[string]int{"/hooks/hmac/": 200, "//hooks/hmac": 200, "/hooks/hmac2": 404, "/hooks/HMAC": 404, "/hooks/": 404,
		"/hooks": 404, "/hooks/hmac/x": 404} {
		if got := h.request(t, "POST", path, d.Body, d.Headers()...); got.status != want {
			t.Errorf("POST %s: got %d %s, want %d", path, got.status, got.body, want)
		}
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		if got := h.request(t, method, "/hooks/hmac", ""); got.status != 405 || !strings.Contains(got.header.Get("Allow"), "POST") {
			t.Errorf("%s: got %d, Allow %q", method, got.status, got.header.Get("Allow"))
		}
	}
}

// Too many wrong signatures of one address are refused, also for keys, but a right one always passes.
func TestWrongSignaturesAreLimitedPerAddress(t *testing.T) {
	h, s := serve(t, withHooks(t)), aForm(t)
	for range 3 * auth.FailuresPerMinute {
		if got := h.request(t, "POST", "/hooks/hmac", "{}"); got.status != 401 || got.header.Get("WWW-Authenticate") == "" {
			t.Fatalf("without a signature: got %d, want 401", got.status)
		}
	}
	var got response
	for n := 0; n <= auth.FailuresPerMinute+10 && got.status != 429; n++ { // a slow machine is forgiven some
		got = h.request(t, "POST", "/hooks/hmac", "{}", "X-Signature: sha256=00")
	}
	if got.status != 429 || got.header.Get("Retry-After") == "" {
		t.Errorf("got %d, Retry-After %q, want 429", got.status, got.header.Get("Retry-After"))
	}
	if got := h.request(t, "POST", "/signup", "user_name=A", "X-API-Key: wrong"); got.status != 429 {
		t.Errorf("a wrong key from there: got %d, want 429", got.status)
	}
	if got := h.deliver(t, s, s.Order); got.status != 200 {
		t.Errorf("a right signature from there: got %d, want 200", got.status)
	}
}

func TestDeliveriesAreLimitedPerHook(t *testing.T) {
	h, s := serve(t, withHooks(t), func(o *setup) { o.RateLimit = 1 }), aForm(t)
	var got response
	for n := 0; n < 20 && got.status != 429; n++ {
		got = h.deliver(t, s, s.Order)
	}
	if got.status != 429 || got.header.Get("Retry-After") != "1" {
		t.Errorf("got %d, Retry-After %q, want 429", got.status, got.header.Get("Retry-After"))
	}
	for _, other := range hooktest.Senders()[:1] {
		if got := h.deliver(t, other, other.Order); got.status != 200 {
			t.Errorf("another hook: got %d %s", got.status, got.body)
		}
	}
}

func TestADeliveryIsNotAcknowledgedBeforeItIsStored(t *testing.T) {
	h, s := serve(t, withHooks(t), func(o *setup) { o.Starting = true }), aForm(t)
	for _, d := range []hooktest.Delivery{s.Order, s.Refund} {
		if got := h.deliver(t, s, d); got.status != 503 || got.header.Get("Retry-After") == "" {
			t.Errorf("got %d %s, want 503", got.status, got.body)
		}
	}
	h.Started()
	if got := h.deliver(t, s, s.Order); got.body != "stored" {
		t.Errorf("the retry: got %d %s", got.status, got.body)
	}
}

// Secrets are replaced while deliveries come.
func TestSecretsAreReplacedWhileServing(t *testing.T) {
	s := aForm(t)
	o := setup{}
	withHooks(t)(&o)
	h := serve(t, func(to *setup) { to.Hooks = o.Hooks })
	for _, to := range o.Hooks {
		if to.Name() == s.From {
			if err := to.SetSecrets([]string{"the new secret"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := h.deliver(t, s, s.Order); got.status != http.StatusUnauthorized {
		t.Errorf("the old secret: got %d, want 401", got.status)
	}
	s.Secret = "the new secret"
	if got := h.deliver(t, s, s.Order); got.status != http.StatusOK {
		t.Errorf("the new secret: got %d, want 200", got.status)
	}
}

// Each delivery has one line, which says why, and holds nothing of the body.
func TestOneLineTellsOfEachDelivery(t *testing.T) {
	h, s := serve(t, withHooks(t)), aForm(t)
	odd := hooktest.Delivery{Body: `{"entry":{"answers":["",7,"x"],"name":"Eve\u2066Canary"}}`}
	for _, step := range []struct {
		got  response
		want string
	}{
		{h.deliver(t, s, s.Order), `msg=hook hook=hmac outcome=stored id=`},
		{h.deliver(t, s, s.Refund), `msg=hook hook=hmac outcome=withdrawn id=`},
		{h.deliver(t, s, odd), `msg=hook hook=hmac outcome=invalid field=user_name rule="must not override`},
		{h.deliver(t, s, hooktest.Delivery{Body: "{"}), `msg=hook hook=hmac outcome=malformed rule="The body is not valid JSON`},
		{h.request(t, "POST", "/hooks/hmac", "{}"), `msg=hook hook=hmac outcome=unauthorized rule="the delivery has no signature`},
		{h.request(t, "POST", "/hooks/canary", "{}"), `msg=hook hook=_unknown outcome=not_found`},
	} {
		line := h.awaitOutput(t, "request="+step.got.header.Get(requestHeader))
		if !strings.Contains(line, step.want) || !strings.Contains(line, " duration=") {
			t.Errorf("got %q, want %s", line, step.want)
		}
	}
	for _, secret := range []string{"Ada", "newsletter", "Piedmont", "members", "R-17", "anary", s.Secret} {
		if strings.Contains(h.output.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, h.output)
		}
	}
}

// fromAddress returns the header of a request from the n-th of many addresses, none of which is limited: see behindProxy.
func fromAddress(n int) string { return fmt.Sprintf("X-Forwarded-For: 198.51.%d.%d", n/250, n%250+1) }

// behindProxy trusts what fromAddress says.
func behindProxy(o *setup) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }
