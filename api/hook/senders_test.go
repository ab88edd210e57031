package hook

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"proofstream/api/hook/hooktest"
)

// now is the time at which tests verify.
var now = time.Unix(1795840000, 0)

// optionsOf returns the options of a webhook for a sender.
func optionsOf(s hooktest.Sender) Options {
	o := s.Options
	return Options{Name: s.From, Site: "default", From: s.From, Secrets: []string{s.Secret}, Signature: o["SIGNATURE"], UserName: o["USER_NAME"],
		OfferName: o["OFFER_NAME"], ImgPath: o["IMG_PATH"], Place: o["PLACE"], URL: o["URL"], Kind: o["KIND"], When: o["WHEN"],
		RetractWhen: o["RETRACT_WHEN"], Key: o["KEY"]}
}

func compile(t testing.TB, o Options) *Hook {
	t.Helper()
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func headerOf(d hooktest.Delivery) http.Header {
	h := http.Header{}
	for name, value := range d.Header {
		h.Set(name, value)
	}
	return h
}

func TestEachSendersOrderIsASignupAndItsRefundWithdrawsIt(t *testing.T) {
	for _, s := range hooktest.Senders() {
		t.Run(s.From, func(t *testing.T) {
			h := compile(t, optionsOf(s))
			for _, d := range []hooktest.Delivery{s.Order, s.Refund} {
				d = hooktest.Sign(s.From, s.Secret, now, d)
				if err := h.Verify(headerOf(d), []byte(d.Body), now); err != nil {
					t.Errorf("verify: %v", err)
				}
			}
			got, err := h.Read(headerOf(s.Order), []byte(s.Order.Body))
			if err != nil || got.Action != Publish || string(got.Signup.Data()) != s.Data || got.Key != s.Key {
				t.Errorf("the order: got %v %s, key %q, error %v, want %s, key %q", got.Action, got.Signup.Data(), got.Key, err, s.Data, s.Key)
			}
			got, err = h.Read(headerOf(s.Refund), []byte(s.Refund.Body))
			if err != nil || got.Action != Retract || got.Key != s.Key {
				t.Errorf("the refund: got %v, key %q, error %v, want a retraction, key %q", got.Action, got.Key, err, s.Key)
			}
		})
	}
}

// Without When every delivery is a signup.
func TestDefaultsAreEnoughForTheUsualEvent(t *testing.T) {
	for _, s := range hooktest.Senders() {
		if s.From == "hmac" {
			continue
		}
		h := compile(t, Options{Name: "a", Site: "default", From: s.From, Secrets: []string{s.Secret}})
		if got, err := h.Read(headerOf(s.Order), []byte(s.Order.Body)); err != nil || got.Action != Publish || got.Key != s.Key {
			t.Errorf("%s: got %v, key %q, error %v, want a signup, key %q", s.From, got.Action, got.Key, err, s.Key)
		}
	}
}

func TestPingsAreRecognized(t *testing.T) {
	woo := compile(t, Options{Name: "a", From: "woocommerce", Secrets: []string{"s"}})
	hub := compile(t, Options{Name: "a", From: "github", Secrets: []string{"s"}})
	for body, want := range map[string]bool{"webhook_id=5": true, "webhook_id=": false, "webhook_id=5&a=b": false, `{"webhook_id":5}`: false, "": false} {
		if got := woo.IsPing([]byte(body)); got != want || hub.IsPing([]byte(body)) {
			t.Errorf("%q: got %v, want %v, and no ping of another sender", body, got, want)
		}
	}
	header := http.Header{"X-Github-Event": {"ping"}}
	if got, err := hub.Read(header, []byte(`{"zen":"Design for failure.","hook_id":1,"sender":{"login":"ada"}}`)); err != nil || got.Action != Ping {
		t.Errorf("github: got %v, error %v, want a ping", got.Action, err)
	}
}

func TestGitHubMayPostAForm(t *testing.T) {
	h := compile(t, Options{Name: "a", From: "github", Secrets: []string{"s"}})
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	got, err := h.Read(header, []byte("payload=%7B%22sender%22%3A%7B%22login%22%3A%22ada%22%7D%7D"))
	if err != nil || got.Signup.UserName != "ada" {
		t.Errorf("got %+v, error %v", got.Signup, err)
	}
}

// The table of defaults in the README has each alternative of each default, in the sender's row.
func TestReadmeHasTheDefaults(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "\n## Webhooks\n")
	for from, o := range defaults {
		_, row, found := strings.Cut(section, "\n| `"+from+"` |")
		row, _, _ = strings.Cut(row, "\n")
		cells := strings.Split(row, "|")
		if !found || len(cells) != 6 {
			t.Errorf("%s has no row of six cells", from)
			continue
		}
		for i, source := range []string{o.UserName, o.OfferName, o.Place, o.Key} {
			var want string
			if source != "" {
				want = "`" + strings.ReplaceAll(source, "|", "`, `") + "`"
			}
			if got := strings.TrimSpace(cells[i]); got != want {
				t.Errorf("%s, column %d: got %s, want %s", from, i+1, got, want)
			}
		}
		for _, word := range strings.FieldsFunc(o.RetractWhen, func(r rune) bool { return r == '|' || r == '=' }) {
			if !strings.Contains(cells[4], "`"+word+"`") {
				t.Errorf("%s: the column RETRACT_WHEN lacks %s", from, word)
			}
		}
	}
}
