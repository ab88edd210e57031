package sqlitelog

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNoPermission runs as a user to whom the directory does not belong.
func TestNoPermission(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	dir := t.TempDir()
	run(t, Options{Dir: dir}).stop()
	var err error
	asNobody(t, dir, func() { err = New(Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)}).Open(t.Context()) })
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "chown -R nobody") || !strings.Contains(err.Error(), "user root") {
		t.Errorf("open as another user: %v; want an error that names both users", err)
	}
}

// asNobody runs do with the user id of nobody in this thread.
func asNobody(t *testing.T, dir string, do func()) {
	t.Helper()
	for p := dir; p != "/" && p != os.TempDir(); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Seteuid(65534); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Seteuid(0); err != nil {
			t.Fatal(err)
		}
	}()
	do()
}
