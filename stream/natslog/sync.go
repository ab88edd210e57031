package natslog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// What is here puts on disk what the server leaves to chance: that directories and files exist under
// their names, the description of a stream that is not synced always, and what an orderly end, a kill or
// a failed fsync leaves in memory alone.

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
	next  string // where the next one will be
}

func (l *Log) blockPath(index int) string {
	return filepath.Join(l.files(), fmt.Sprintf("%d.blk", index))
}

// syncName makes sure that the file with the newest events is on disk under its name: they would be lost
// with it. The server begins a new file now and then, under the next number, and replaces one to erase
// an event. When neither happened this costs a look for a name that is not there.
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

// syncReplaced does that in any case.
func (l *Log) syncReplaced() error {
	l.naming.Lock()
	defer l.naming.Unlock()
	return l.syncNewName()
}

// named says whether the newest file is still the one that is on disk under its name.
func (l *Log) named() bool {
	b := l.tip.Load()
	if b == nil || l.erasing.Load() {
		return false
	}
	_, err := os.Lstat(b.next)
	return errors.Is(err, fs.ErrNotExist)
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
	b.next = l.blockPath(b.index + 1)
	if err := l.syncBefore(b.index); err != nil {
		return err
	}
	if err := syncDir(l.files()); err != nil {
		return err
	}
	l.tip.Store(b)
	return nil
}

// syncBefore puts the files before the newest on disk. The server does so too, but with a duration only in its
// time: a power cut could take the end of the one, and not the beginning of the other.
func (l *Log) syncBefore(index int) error {
	was := l.tip.Load()
	if was == nil {
		return nil // see settle
	}
	for i := was.index; i < index; i++ {
		if err := syncFile(l.blockPath(i)); err != nil {
			return err
		}
	}
	return nil
}

func blockIndex(name string) (index int, ok bool) {
	n, err := fmt.Sscanf(name, "%d.blk", &index)
	return index, n == 1 && err == nil && name == fmt.Sprintf("%d.blk", index)
}

// settle has what the files of a stopped server hold put on disk. A killed process, or one that ended in
// good order without syncing, left some of it in memory alone, from where it would be read as if it were safe.
// After a failed fsync that is not enough: the kernel takes what it could not write for written, and only writing
// it again helps. What reads as damaged is the server's to find.
func (l *Log) settle(again bool) error {
	paths, err := l.recent()
	if err != nil {
		return err
	}
	for _, path := range paths {
		sync := syncFile
		if again {
			sync = writeAgain
		}
		if err := sync(path); err != nil {
			return fmt.Errorf("put %s on disk: %w", path, err)
		}
	}
	return nil
}

// recent returns the files that may not be on disk: the server syncs each within Options.Fsync, and stops when
// it cannot.
func (l *Log) recent() (paths []string, err error) {
	names, err := os.ReadDir(l.files())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	changed := map[string]time.Time{}
	var newest time.Time
	for _, n := range names {
		if _, ok := blockIndex(n.Name()); !ok {
			continue
		}
		info, err := n.Info()
		if err != nil {
			return nil, err
		}
		if changed[n.Name()] = info.ModTime(); info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	for name, at := range changed {
		if newest.Sub(at) <= 2*l.opts.Fsync+time.Minute {
			paths = append(paths, filepath.Join(l.files(), name))
		}
	}
	return paths, nil
}
