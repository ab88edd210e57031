//go:build !unix

package natslog

import (
	"os"
	"path/filepath"
)

// lock marks dir as ours. This system has no advisory locks in the standard library: here nothing
// keeps a second process out.
func lock(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
}
