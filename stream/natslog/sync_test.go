package natslog

import (
	"os"
	"testing"

	"proofstream/stream"
)

// TestNamesAreSyncedWhenTheyMayHaveChanged would catch an append that syncs the directory each time, and one that does not
// when its event may be in a file whose name is new: of which power cuts find only some.
func TestNamesAreSyncedWhenTheyMayHaveChanged(t *testing.T) {
	l := opened(t, Options{Dir: t.TempDir()})
	var newest uint64
	synced := func(do func()) bool {
		t.Helper()
		before := l.tip.Load()
		do()
		return l.tip.Load() != before
	}
	add := func() {
		t.Helper()
		var err error
		if newest, _, err = l.Append(t.Context(), stream.Draft{Site: "a", Data: payload}); err != nil {
			t.Fatal(err)
		}
	}
	if add(); synced(add) {
		t.Error("an append to the same file synced the directory")
	}
	if !synced(func() {
		if err := l.Erase(t.Context(), newest); err != nil {
			t.Fatal(err)
		}
	}) || synced(add) {
		t.Error("an erasure did not sync the directory, or not for those after it")
	}
	if err := os.WriteFile(l.tip.Load().next, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !synced(add) || synced(add) {
		t.Error("a new file was not noticed, or again and again")
	}
	l.naming.Lock() // so that an erasure cannot end
	end := make(chan error)
	go func() { end <- l.Erase(t.Context(), newest) }()
	until(t, "the erasure has been heard of", func() bool { _, err := l.Get(t.Context(), newest); return err != nil })
	if l.named() {
		t.Error("an append during an erasure would not sync the directory")
	}
	l.naming.Unlock()
	if err := <-end; err != nil || synced(add) {
		t.Errorf("appends after an erasure go on syncing the directory, %v", err)
	}
}
