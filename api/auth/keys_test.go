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
	if k.Find("") != nil || k.Find(defaultKey) != nil {
		t.Error("an empty keyring has a key")
	}
	k.Set([]*Key{NewKey("default", defaultKey, 0), NewKey("default", secondKey, 0), NewKey("shop", shopKey, 0)})
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
}

// A key that stays when others are replaced does not get a new burst.
func TestAKeyThatStaysKeepsItsLimit(t *testing.T) {
	var k Keyring
	k.Set([]*Key{NewKey("default", defaultKey, 50), NewKey("default", shopKey, 50)})
	now := time.Now()
	for _, key := range []string{defaultKey, shopKey} {
		for k.Find(key).Wait(now) == 0 {
		}
	}
	k.Set([]*Key{NewKey("default", defaultKey, 50), NewKey("default", secondKey, 50), NewKey("shop", shopKey, 50)})
	for key, limited := range map[string]bool{defaultKey: true, secondKey: false, shopKey: false} { // the last one is another site's now
		if got := k.Find(key).Wait(now) > 0; got != limited {
			t.Errorf("%s: limited %v, want %v", key, got, limited)
		}
	}
	k.Set([]*Key{NewKey("default", secondKey, 50)})
	if k.Find(defaultKey) != nil {
		t.Error("a key that was removed is still there")
	}
}

func TestSignupsAreLimitedPerKey(t *testing.T) {
	limited, other, free := NewKey("default", defaultKey, 50), NewKey("default", secondKey, 50), NewKey("default", defaultKey, 0)
	now := time.Now()
	passed := 0
	for limited.Wait(now) == 0 {
		passed++
	}
	if passed != 100 {
		t.Errorf("%d passed at once, want 100", passed)
	}
	if wait := limited.Wait(now); wait <= 0 || wait > 20*time.Millisecond {
		t.Errorf("the next has to wait %v, want a fiftieth of a second at most", wait)
	}
	if wait := other.Wait(now); wait != 0 {
		t.Errorf("another key has to wait %v", wait)
	}
	for range 1000 {
		if wait := free.Wait(now); wait != 0 {
			t.Fatalf("with the limit off: wait %v", wait)
		}
	}
}
