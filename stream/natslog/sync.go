package natslog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// What is here puts on disk what the server leaves to chance: that directories and files exist under
// their names, and the description of a stream that is not synced always.

// syncPath puts on disk that the directories of the log exist, and what describes its stream.
func (l *Log) syncPath() error {
	for _, name := range []string{"meta.inf", "meta.sum"} {
		if err := syncFile(filepath.Join(filepath.Dir(l.files()), name)); err != nil {
			return err
		}
	}
	top, err1 := filepath.Abs(filepath.Dir(filepath.Clean(l.opts.Dir)))
	dir, err2 := filepath.Abs(l.files())
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for ; ; dir = filepath.Dir(dir) {
		err := syncDir(dir)
		if err != nil && !errors.Is(err, fs.ErrPermission) && strings.HasPrefix(dir, top) {
			return err // those above top are, as a rule, not of our making
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// block is a file of events that is on disk under its name.
type block struct {
	index int
	info  os.FileInfo
}

func (l *Log) blockPath(index int) string {
	return filepath.Join(l.files(), fmt.Sprintf("%d.blk", index))
}

// syncName makes sure that the file with the newest events is on disk under its name: they would be lost
// with it. The server begins a new file now and then, under the next number, and replaces one to erase
// an event. When neither happened this costs two looks at what is in memory.
func (l *Log) syncName() error {
	if l.named() {
		return nil
	}
	l.naming.Lock()
	defer l.naming.Unlock()
	if l.named() {
		return nil
	}
	return l.syncNewName()
}

// syncReplaced does that after an erasure: an inode used again could look like the one before.
func (l *Log) syncReplaced() error {
	l.naming.Lock()
	defer l.naming.Unlock()
	return l.syncNewName()
}

// named says whether the newest file is still the one that is on disk under its name.
func (l *Log) named() bool {
	b := l.tip.Load()
	if b == nil || runtime.GOOS == "windows" {
		return b != nil // see syncDir
	}
	if _, err := os.Lstat(l.blockPath(b.index + 1)); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	now, err := os.Lstat(l.blockPath(b.index))
	return err == nil && os.SameFile(b.info, now)
}

// syncNewName looks for the newest file first, so that one that comes meanwhile is noticed afterwards.
// Callers hold l.naming.
func (l *Log) syncNewName() error {
	names, err := os.ReadDir(l.files())
	if err != nil {
		return err
	}
	b := new(block)
	for _, n := range names {
		if i, ok := blockIndex(n.Name()); ok && i > b.index {
			b.index = i
		}
	}
	if b.info, err = os.Lstat(l.blockPath(b.index)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := syncDir(l.files()); err != nil {
		return err
	}
	l.tip.Store(b)
	return nil
}

func blockIndex(name string) (index int, ok bool) {
	n, err := fmt.Sscanf(name, "%d.blk", &index)
	return index, n == 1 && err == nil && name == fmt.Sprintf("%d.blk", index)
}
