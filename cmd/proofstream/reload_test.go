package main

import (
	"bytes"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"proofstream/api"
)

// watched is a reloader of an environment with its files, and what it has done.
type watched struct {
	*reloader
	t     *testing.T
	log   bytes.Buffer
	sites []api.Site // last given to the server by a look
}

func watch(t *testing.T, environ ...string) *watched {
	t.Helper()
	w := &watched{t: t}
	s := &service{environ: environ, cfg: configOf(t, environ...), logger: slog.New(slog.NewTextHandler(&w.log, nil)), server: &api.Server{}}
	var err error
	if s.hooks, err = hooksOf(s.cfg); err != nil {
		t.Fatal(err)
	}
	w.reloader = s.newReloader()
	w.setAccess = func(sites []api.Site) { w.sites = sites }
	return w
}

// write replaces the content of a file.
func (w *watched) write(path, text string) {
	w.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// look looks twice, and returns the sites that were applied and what was logged.
func (w *watched) look() (sites []api.Site, logged string) {
	w.sites = nil
	w.log.Reset()
	w.reloader.look()
	sites = w.sites
	w.sites = nil
	if w.reloader.look(); w.sites != nil {
		w.t.Error("what was applied was applied again")
	}
	return sites, w.log.String()
}

func TestFilesOfKeysAndOriginsAreReadAgain(t *testing.T) {
	keys, origins, shopKeys := tempFile(t, keyA), tempFile(t, "https://a.example"), tempFile(t, keyB)
	w := watch(t, append(siteEnviron("0", "shop", "", "https://shop.example", "API_KEYS_FILE="+shopKeys),
		"PROOF_API_KEYS=always-there-0123", "PROOF_API_KEYS_FILE="+keys, "PROOF_ALLOWED_ORIGINS_FILE="+origins)...)
	if sites, logged := w.look(); sites != nil || logged != "" {
		t.Errorf("nothing has changed: got %v, %s", sites, logged)
	}
	w.write(keys, keyA+"\nnew-key-of-default\n")
	w.write(origins, "https://b.example\r\n")
	sites, logged := w.look()
	if len(sites) != 2 || !slices.Equal(sites[0].Keys, []string{"always-there-0123", keyA, "new-key-of-default"}) || !slices.Equal(sites[1].Keys, []string{keyB}) ||
		!sites[0].Origins.Allow("https://b.example") || sites[0].Origins.Allow("https://a.example") || !sites[1].Origins.Allow("https://shop.example") {
		t.Errorf("got %v", sites)
	}
	if strings.Count(logged, "file reloaded") != 2 || strings.Contains(logged, "new-key") {
		t.Errorf("got %s, want a line for each file, and no key", logged)
	}
	w.write(keys, "exchanged-key-0123") // a key moves from one site to another
	w.write(shopKeys, keyA)
	if sites, _ := w.look(); len(sites) != 2 || !slices.Equal(sites[1].Keys, []string{keyA}) {
		t.Errorf("two sites that exchange a key: got %v", sites)
	}
}

// A file that cannot be used is reported once, and keeps nothing else from being applied.
func TestAFileThatCannotBeUsedLeavesThePreviousContent(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "a short key": "short", "a line of an environment file": "PROOF_API_KEYS=" + keyB, "another site's key": keyA + "\nkey-of-the-shop-0123", "gone": "gone",
	} {
		t.Run(name, func(t *testing.T) {
			keys, origins := tempFile(t, keyA), tempFile(t, "https://a.example")
			w := watch(t, append(siteEnviron("0", "shop", "key-of-the-shop-0123", "*"), "PROOF_API_KEYS_FILE="+keys, "PROOF_ALLOWED_ORIGINS_FILE="+origins)...)
			w.write(keys, text)
			if text == "gone" {
				os.Remove(keys)
			}
			sites, logged := w.look()
			if sites != nil || strings.Count(logged, "level=WARN") != 1 || !strings.Contains(logged, "variable=PROOF_API_KEYS_FILE") || strings.Contains(logged, keyB) {
				t.Errorf("got %v, %s, want one warning", sites, logged)
			}
			w.write(origins, "https://b.example")
			if sites, _ := w.look(); len(sites) != 2 || !slices.Equal(sites[0].Keys, []string{keyA}) || !sites[0].Origins.Allow("https://b.example") {
				t.Errorf("another file that is sound: got %v", sites)
			}
			w.write(keys, keyB)
			if sites, _ := w.look(); len(sites) != 2 || !slices.Equal(sites[0].Keys, []string{keyB}) {
				t.Errorf("after its repair: got %v", sites)
			}
		})
	}
}

func TestFilesOfSecretsAreReadAgain(t *testing.T) {
	file := tempFile(t, "first-secret")
	w := watch(t, hookEnviron("0", "pay", "github", "SECRET=given", "SECRET_FILE="+file)...)
	w.write(file, "second-secret\n")
	if _, logged := w.look(); strings.Count(logged, "file reloaded") != 1 || !slices.Equal(w.cfg.Hooks[0].Secrets, []string{"given", "second-secret"}) {
		t.Errorf("got %q, %s", w.cfg.Hooks[0].Secrets, logged)
	}
	w.write(file, "\n")
	if _, logged := w.look(); strings.Count(logged, "level=WARN") != 1 || !strings.Contains(logged, "PROOF_HOOKS_0_SECRET_FILE") {
		t.Errorf("an empty file: got %s, want one warning", logged)
	}
	w.write(file, "second-secret")
	if _, logged := w.look(); logged != "" {
		t.Errorf("the secret in force: got %s, want silence", logged)
	}
}

func TestAGeneratedKeyStays(t *testing.T) {
	origins := tempFile(t, "https://a.example")
	w := watch(t, "PROOF_ALLOWED_ORIGINS_FILE="+origins)
	key := w.cfg.GeneratedKey
	w.write(origins, "https://b.example")
	if sites, _ := w.look(); len(sites) != 1 || key == "" || !slices.Equal(sites[0].Keys, []string{key}) {
		t.Errorf("got %v, want the key %s", sites, key)
	}
}
