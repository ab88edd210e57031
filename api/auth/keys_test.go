package auth

import (
	"testing"
	"time"
)

const (
	defaultKey = "canary-key-of-default"
	secondKey  = "canary-key-for-rotation"
	shopKey    = "canary-key-of-the-shop"
)

// The key decides the site, and only a whole key counts.
func TestTheKeyDecidesTheSite(t *testing.T) {
	var k Keyring
	k.Add("default", []string{defaultKey, secondKey}, 0)
	k.Add("shop", []string{shopKey}, 0)
	for key, want := range map[string]string{defaultKey: "default", secondKey: "default", shopKey: "shop"} {
		if got := k.Find(key); got == nil || got.Site != want {
			t.Errorf("%s: got %v, want %s", key, got, want)
		}
	}
	for _, key := range []string{"", "x", defaultKey + " ", defaultKey[1:]} {
		if got := k.Find(key); got != nil {
			t.Errorf("%q is the key of %s", key, got.Site)
		}
	}
	if (Keyring{}).Find("") != nil {
		t.Error("an empty keyring has the empty key")
	}
}

func TestSignupsAreLimitedPerKey(t *testing.T) {
	var k Keyring
	k.Add("default", []string{defaultKey, secondKey}, 50)
	now := time.Now()
	passed := 0
	for k.Find(defaultKey).Wait(now) == 0 {
		passed++
	}
	if passed != 100 {
		t.Errorf("%d passed at once, want 100", passed)
	}
	if wait := k.Find(defaultKey).Wait(now); wait <= 0 || wait > 20*time.Millisecond {
		t.Errorf("the next has to wait %v, want a fiftieth of a second at most", wait)
	}
	if wait := k.Find(secondKey).Wait(now); wait != 0 {
		t.Errorf("another key has to wait %v", wait)
	}
	var free Keyring
	free.Add("default", []string{defaultKey}, 0)
	for range 1000 {
		if wait := free.Find(defaultKey).Wait(now); wait != 0 {
			t.Fatalf("with the limit off: wait %v", wait)
		}
	}
}
