package sqlitelog

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// files are a log's, by suffix after the name of the database.
type files map[string][]byte

const lockSuffix = "lock" // stands for the lock file

func fileOf(dir, suffix string) string {
	if suffix == lockSuffix {
		return filepath.Join(dir, lockFile)
	}
	return filepath.Join(dir, databaseFile+suffix)
}

// scratch returns a directory, in memory if possible: the tests do thousands of fsyncs, of which they need none.
func scratch(t testing.TB) string {
	dir, err := os.MkdirTemp(scratchParent(t), "proofstream-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func scratchParent(t testing.TB) string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return t.TempDir()
}

func readFiles(dir string) files {
	f := files{}
	for _, suffix := range []string{"", walSuffix, lockSuffix} {
		if data, err := os.ReadFile(fileOf(dir, suffix)); err == nil {
			f[suffix] = data
		}
	}
	return f
}

func (f files) write(t testing.TB, dir string) {
	for suffix, data := range f {
		if err := os.WriteFile(fileOf(dir, suffix), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// with returns the files with one replaced; nil removes it.
func (f files) with(suffix string, data []byte) files {
	c := maps.Clone(f)
	if c[suffix] = data; data == nil {
		delete(c, suffix)
	}
	return c
}

// edit returns the files with a copy of one changed.
func (f files) edit(suffix string, change func(b []byte)) files {
	b := bytes.Clone(f[suffix])
	change(b)
	return f.with(suffix, b)
}

func flip(at int) func([]byte)       { return func(b []byte) { b[at] ^= 1 << (at % 8) } }
func wipe(from, to int) func([]byte) { return func(b []byte) { clear(b[from:min(to, len(b))]) } }

// intact returns the row ids of events that can be found in the files.
func (f files) intact() map[int64]bool {
	ids := map[int64]bool{}
	p := newImage(section(f[""]), section(f[walSuffix]), true)
	for r := range p.rows(p.numbers()) {
		var kind, at, sum int64
		var data []byte
		if r.ours() && len(r.columns) == 5 && scan(r.columns, &r.id, &kind, &at, &data, &sum) == nil && sum == eventSum(r.id, kind, at, data) {
			ids[r.id] = true
		}
	}
	return ids
}
