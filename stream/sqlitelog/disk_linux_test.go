package sqlitelog

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// disk is a model of the files below one directory: what the processes of a running machine see in its memory, and
// what is left of that when the power is cut. It promises no more than POSIX does:
//
//   - What is written to a file is kept once an fsync of that file, begun after the write had returned, has succeeded.
//   - That a name exists, or is gone, is kept once an fsync of its directory has: an fsync of the file alone is
//     not enough. (ext4, xfs and btrfs keep the name of a new file that was synced.)
//   - Pages whose fsync failed are no longer tried: some of them are not kept unless they are written again, as Linux does.
//
// All else may be kept or not: see cut.
type disk struct {
	root   *inode
	now    int // counts changes
	chance *rand.Rand
}

type inode struct {
	memory, kept []byte
	dirty        map[int]int // pages that are not kept yet, and when they were changed last
	resized      int         // when the size was changed that is not kept yet; 0 is never

	names, keptNames map[string]*inode // of a directory; nil of a file
	pending          []naming          // not kept yet, oldest first
}

type naming struct {
	when int
	name string
	node *inode // nil when the name is gone
}

const (
	diskPage = 4096
	sector   = 512
)

func newNode() *inode { return &inode{dirty: map[int]int{}} }

func newDirectory() *inode {
	return &inode{names: map[string]*inode{}, keptNames: map[string]*inode{}}
}

func (d *disk) write(n *inode, data []byte, at int) {
	d.now++
	if end := at + len(data); end > len(n.memory) {
		n.memory = append(n.memory, make([]byte, end-len(n.memory))...)
		n.resized = d.now
	}
	copy(n.memory[at:], data)
	for p := at / diskPage; p*diskPage < at+len(data); p++ {
		n.dirty[p] = d.now
	}
}

func (d *disk) truncate(n *inode, size int) {
	d.now++
	n.memory, n.resized = resize(n.memory, size), d.now
	if size%diskPage > 0 {
		n.dirty[size/diskPage] = d.now
	}
}

// name gives a name in a directory to a node, or to none. Several done at once have one time.
func (d *disk) name(dir *inode, name string, node *inode) {
	if dir.names[name] = node; node == nil {
		delete(dir.names, name)
	}
	dir.pending = append(dir.pending, naming{d.now, name, node})
}

// sync begins an fsync of what is in memory now; the function returned ends it.
func (d *disk) sync(n *inode) (end func(succeeded bool)) {
	begun := d.now
	if n.names != nil {
		return func(succeeded bool) {
			if succeeded {
				n.keptNames, n.pending = n.namesKept(begun)
			}
		}
	}
	size, pages := len(n.memory), map[int][]byte{}
	for p := range n.dirty {
		if p*diskPage < size {
			pages[p] = bytes.Clone(n.memory[p*diskPage : min(size, p*diskPage+diskPage)])
		}
	}
	return func(succeeded bool) {
		maps.DeleteFunc(n.dirty, func(_, when int) bool { return when <= begun })
		if n.resized <= begun {
			n.resized = 0
		}
		if succeeded || d.chance.IntN(2) > 0 {
			n.kept = resize(n.kept, size)
		}
		for p, data := range pages {
			if at := p * diskPage; at < len(n.kept) && (succeeded || d.chance.IntN(2) > 0) {
				copy(n.kept[at:], data)
			}
		}
	}
}

func resize(b []byte, size int) []byte {
	if size < len(b) {
		return b[:size:size]
	}
	return append(b, make([]byte, size-len(b))...)
}

// namesKept returns the names when those up to a time are kept, and the changes after it.
func (n *inode) namesKept(upTo int) (kept map[string]*inode, after []naming) {
	kept = maps.Clone(n.keptNames)
	for i, p := range n.pending {
		if p.when > upTo {
			return kept, n.pending[i:]
		}
		if kept[p.name] = p.node; p.node == nil {
			delete(kept, p.name)
		}
	}
	return kept, nil
}

// cut writes into a directory what a power cut now may leave. With odds of 0 that is what must be kept, and no more; with 4,
// everything. In between, a random part of the rest is kept too: names up to some moment, as a journal has them, and of
// each file any of the sectors, and the old size or the new.
func (d *disk) cut(t *testing.T, dir string, odds int) {
	t.Helper()
	upTo := d.now
	switch odds {
	case 0:
		upTo = 0
	case 1, 2, 3:
		upTo -= d.chance.IntN(min(d.now, 50) + 1)
	}
	d.leave(t, d.root, dir, upTo, odds)
}

func (d *disk) leave(t *testing.T, n *inode, path string, upTo, odds int) {
	if n.names == nil {
		if err := os.WriteFile(path, d.remains(n, odds), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	kept, _ := n.namesKept(upTo)
	for name, node := range kept {
		d.leave(t, node, filepath.Join(path, name), upTo, odds)
	}
}

func (d *disk) remains(n *inode, odds int) []byte {
	b := bytes.Clone(n.kept)
	if n.resized > 0 && d.chance.IntN(4) < odds {
		b = resize(b, len(n.memory))
	}
	for p := range n.dirty {
		for at := p * diskPage; at < min(p*diskPage+diskPage, len(n.memory)); at += sector {
			if end := min(at+sector, len(n.memory)); end <= len(b) && d.chance.IntN(4) < odds {
				copy(b[at:end], n.memory[at:end])
			}
		}
	}
	return b
}
