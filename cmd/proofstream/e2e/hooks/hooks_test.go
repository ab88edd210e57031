package hooks

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"proofstream/api/hook/hooktest"
	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/ssetest"
	"proofstream/stream/waitfor"
)

// nextSecret is the one to which each sender changes: base64, for Standard Webhooks.
const nextSecret = "whsec_dGhlIG5leHQgc2VjcmV0IG9mIGFsbA=="

// environOf configures one webhook for each sender, named as it is, with both secrets in a file.
func environOf(t *testing.T) (environ []string) {
	for i, s := range hooktest.Senders() {
		prefix := fmt.Sprintf("PROOF_HOOKS_%d_", i)
		file := filepath.Join(t.TempDir(), "secrets")
		if err := os.WriteFile(file, []byte(s.Secret+"\r\n"+nextSecret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		environ = append(environ, prefix+"NAME="+s.From, prefix+"FROM="+s.From, prefix+"SECRET_FILE="+file)
		for name, value := range s.Options {
			environ = append(environ, prefix+name+"="+value)
		}
	}
	return environ
}

// Configured by the environment alone, a delivery of each sender is on an open page within a second, and its refund withdraws it. The old and the
// new secret are valid.
func TestEachSendersDeliveryReachesThePage(t *testing.T) {
	p := e2e.Start(t, environOf(t)...)
	page := p.Follow(t, "")
	for _, s := range hooktest.Senders() {
		deliver(t, p, s, s.Secret, s.Order, "stored")
		shown := await(t, page, func(e ssetest.Event) bool { return strings.HasPrefix(e.Data, strings.TrimSuffix(s.Data, "}")) })
		deliver(t, p, s, nextSecret, s.Order, "duplicate")
		deliver(t, p, s, nextSecret, s.Refund, "withdrawn")
		await(t, page, func(e ssetest.Event) bool { return e.Kind == "retract" && e.Field("id") == shown.ID })
		d := hooktest.Sign(s.From, "YW5vdGhlciBzZWNyZXQ=", time.Now(), s.Order)
		if got := p.Request(t, "POST", "/hooks/"+s.From, d.Body, d.Headers()...); got.Status != 401 {
			t.Errorf("%s: another secret: got %d %s, want 401", s.From, got.Status, got.Body)
		}
	}
	for _, s := range hooktest.Senders() {
		for _, secret := range []string{s.Secret, nextSecret} {
			if strings.Contains(p.Stderr.String(), secret) {
				t.Errorf("%s: the log holds a secret:\n%s", s.From, p.Stderr)
			}
		}
	}
}

// A delivery of each sender makes a card on an open page, and its refund takes it off.
func TestEachSendersDeliveryMakesACard(t *testing.T) {
	p := e2e.Start(t, environOf(t)...)
	tab := p.Open(t, `data-duration="60000" data-cooldown="0"`)
	for i, s := range hooktest.Senders() {
		deliver(t, p, s, s.Secret, s.Order, "stored")
		e2e.AwaitShows(t, tab, i+1)
		deliver(t, p, s, s.Secret, s.Refund, "withdrawn")
		e2e.AwaitJS(t, tab, fmt.Sprintf("seen.filter(e => e.reason == 'retracted').length == %d && !document.querySelector('.visible')", i+1))
	}
}

// With PROOF_NAMES=first the rest of a name is in no file of the data directory, whoever sends it and in whatever form.
func TestNamesPolicyKeepsSurnamesOutOfEveryFile(t *testing.T) {
	const surname = "Lovelace"
	p := e2e.Start(t, append(environOf(t), "PROOF_NAMES=first")...)
	page := p.Follow(t, "")
	p.Post(t, "user_name=Ada "+surname)
	if got := p.Request(t, "POST", "/signup", "user_name=Ada+"+surname+"&api_key="+p.Key, "Content-Type: application/x-www-form-urlencoded").Status; got != 200 {
		t.Fatalf("a form: got %d", got)
	}
	posted := 2
	for _, s := range hooktest.Senders() {
		if strings.Contains(s.Order.Body, surname) {
			deliver(t, p, s, s.Secret, s.Order, "stored")
			posted++
		}
	}
	if posted < 4 {
		t.Fatalf("%d signups with the surname, want those of several senders too", posted)
	}
	for _, e := range page.AwaitEvents(t, "signup", posted) {
		if name := e.Field("user_name"); name != "Ada" {
			t.Errorf("got the name %q, want Ada", name)
		}
	}
	err := filepath.WalkDir(p.Dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), surname) {
			t.Errorf("%s holds the surname", path)
		}
		return err
	})
	if err != nil || strings.Contains(p.Stderr.String(), surname) {
		t.Errorf("%v; the log holds the surname: %t", err, strings.Contains(p.Stderr.String(), surname))
	}
}

// deliver posts a delivery that its sender signs now.
func deliver(t *testing.T, p *e2e.Program, s hooktest.Sender, secret string, d hooktest.Delivery, want string) {
	t.Helper()
	d = hooktest.Sign(s.From, secret, time.Now(), d)
	if got := p.Request(t, "POST", "/hooks/"+s.From, d.Body, d.Headers()...); got.Status != 200 || !strings.HasPrefix(got.Body, want) {
		t.Fatalf("%s: got %d %s, want %s", s.From, got.Status, got.Body, want)
	}
}

// await waits for an event, at most a second.
func await(t *testing.T, page *e2e.Source, is func(ssetest.Event) bool) (found ssetest.Event) {
	t.Helper()
	waitfor.Until(t, time.Second, func() bool {
		page.Mu.Lock()
		defer page.Mu.Unlock()
		for _, e := range page.Events {
			if is(e) {
				found = e
				return true
			}
		}
		return false
	}, func() string { return "the event is not on the page" })
	return found
}
