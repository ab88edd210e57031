//go:build unix

package sqlitelog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// foreignFile returns who owns the file that an error is about and what to do, when that is another user than the process's; otherwise "". The
// directory may be the process's all the same, as after a run as root.
func foreignFile(err error) string {
	var failed *fs.PathError
	if !errors.As(err, &failed) {
		return ""
	}
	info, err := os.Stat(failed.Path)
	if err != nil || info.IsDir() {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return ""
	}
	return fmt.Sprintf("; the file belongs to user %s, this process runs as user %s: chown -R %[2]s %s",
		userName(int(stat.Uid)), userName(os.Geteuid()), filepath.Dir(failed.Path))
}
