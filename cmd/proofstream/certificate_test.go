package main

import (
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
)

// Certificate files behind a symbolic link, as Kubernetes mounts them, are reloaded when the link changes.
func TestTLSLinkedFilesAreReloaded(t *testing.T) {
	first, second := e2e.NewAuthority(t, "a.example.com"), e2e.NewAuthority(t, "b.example.com")
	dir := t.TempDir()
	for name, a := range map[string]e2e.Authority{"first": first, "second": second} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		a.Write(t, filepath.Join(dir, name))
	}
	link := filepath.Join(dir, "live")
	point := func(to string) {
		os.Remove(link)
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	point("first")
	f := &certificateFiles{cert: filepath.Join(link, "cert.pem"), key: filepath.Join(link, "key.pem"), logger: slog.New(slog.DiscardHandler)}
	for _, want := range []string{"a.example.com", "b.example.com", "a.example.com"} {
		point(map[string]string{"a.example.com": "first", "b.example.com": "second"}[want])
		f.looked = time.Time{} // skips the second between two checks of the files
		got, err := f.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.Leaf.Subject.CommonName != want {
			t.Errorf("got the certificate of %s, want that of %s", got.Leaf.Subject.CommonName, want)
		}
	}
}

// The plain HTTP port serves ACME challenges and does not redirect a post.
func TestACMEAnswersChallengesOnPlainHTTP(t *testing.T) {
	link := newTransport(Config{ACMEHosts: []string{"proof.example.com"}, DataDir: t.TempDir()}, slog.New(slog.DiscardHandler))
	if !slices.Contains(link.tls.NextProtos, "h2") || !slices.Contains(link.tls.NextProtos, "acme-tls/1") {
		t.Errorf("protocols %v", link.tls.NextProtos)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "http://proof.example.com/.well-known/acme-challenge/token", nil)
	link.plain.ServeHTTP(w, r)
	if w.Code != 404 { // the token is unknown; another path would be redirected
		t.Errorf("challenge: got %d, want 404", w.Code)
	}
	w = httptest.NewRecorder()
	link.plain.ServeHTTP(w, httptest.NewRequest("POST", "http://proof.example.com/signup", strings.NewReader("api_key=x")))
	if w.Code != 400 { // a client would send the key again to the redirect's target
		t.Errorf("a post on plain HTTP: got %d, want 400", w.Code)
	}
}
