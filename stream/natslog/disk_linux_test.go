package natslog

import (
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
//   - Pages whose fsync failed are no longer tried: they are not kept unless they are written again, as Linux does.
//
// All else may be kept or not: see cut.
type disk struct {
	root *inode
	now  int // counts changes
}

type inode struct {
	sync bool // was opened with O_SYNC by the one who writes

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
	page   = 4096
	sector = 512
)

func newFile() *inode { return &inode{dirty: map[int]int{}} }

func newDirectory() *inode {
	return &inode{names: map[string]*inode{}, keptNames: map[string]*inode{}}
}

// loadDisk returns a model of what is in a directory, all of it kept.
func loadDisk(t *testing.T, dir string) *disk {
	t.Helper()
	return &disk{root: loadNode(t, dir)}
}

func loadNode(t *testing.T, path string) *inode {
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !info.IsDir() {
		n := newFile()
		if n.memory, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		n.kept = append([]byte(nil), n.memory...)
		return n
	}
	n := newDirectory()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		node := loadNode(t, filepath.Join(path, e.Name()))
		n.names[e.Name()], n.keptNames[e.Name()] = node, node
	}
	return n
}

func (d *disk) write(n *inode, data []byte, at int) {
	d.now++
	if end := at + len(data); end > len(n.memory) {
		n.memory = append(n.memory, make([]byte, end-len(n.memory))...)
		n.resized = d.now
	}
	copy(n.memory[at:], data)
	for p := at / page; p*page < at+len(data); p++ {
		n.dirty[p] = d.now
	}
	if n.sync {
		d.sync(n)(true)
	}
}

func (d *disk) truncate(n *inode, size int) {
	d.now++
	if size > len(n.memory) {
		n.memory = append(n.memory, make([]byte, size-len(n.memory))...)
	}
	n.memory, n.resized = n.memory[:size:size], d.now
	if size%page > 0 {
		n.dirty[size/page] = d.now
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
				n.keepNames(begun)
			}
		}
	}
	size, pages := len(n.memory), map[int][]byte{}
	for p := range n.dirty {
		if p*page < size {
			pages[p] = append([]byte(nil), n.memory[p*page:min(size, p*page+page)]...)
		}
	}
	return func(succeeded bool) {
		for p, when := range n.dirty {
			if when <= begun {
				delete(n.dirty, p)
			}
		}
		if n.resized <= begun {
			n.resized = 0
		}
		if !succeeded {
			return
		}
		n.kept = resize(n.kept, size)
		for p, data := range pages {
			copy(n.kept[p*page:], data)
		}
	}
}

func resize(b []byte, size int) []byte {
	if size < len(b) {
		return b[:size:size]
	}
	return append(b, make([]byte, size-len(b))...)
}

// keepNames keeps what was named up to a time.
func (n *inode) keepNames(upTo int) {
	n.keptNames, n.pending = n.namesKept(upTo), n.pendingAfter(upTo)
}

func (n *inode) namesKept(upTo int) map[string]*inode {
	kept := map[string]*inode{}
	for name, node := range n.keptNames {
		kept[name] = node
	}
	for _, p := range n.pending {
		if p.when > upTo {
			break
		}
		if kept[p.name] = p.node; p.node == nil {
			delete(kept, p.name)
		}
	}
	return kept
}

func (n *inode) pendingAfter(upTo int) []naming {
	for i, p := range n.pending {
		if p.when > upTo {
			return n.pending[i:]
		}
	}
	return nil
}

// cut writes into a directory what a power cut now may leave. Without chance that is what must be kept, and
// no more. With it, a random part of the rest is kept too: names up to some moment, as a journal has them, and of
// each file any of the sectors, and the old size or the new.
func (d *disk) cut(t *testing.T, dir string, chance *rand.Rand) {
	t.Helper()
	upTo := 0
	if chance != nil {
		upTo = d.now - chance.IntN(min(d.now, 50)+1)
	}
	d.root.cut(t, dir, upTo, chance)
}

func (n *inode) cut(t *testing.T, path string, upTo int, chance *rand.Rand) {
	if n.names == nil {
		if err := os.WriteFile(path, n.remains(chance), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, node := range n.namesKept(upTo) {
		node.cut(t, filepath.Join(path, name), upTo, chance)
	}
}

func (n *inode) remains(chance *rand.Rand) []byte {
	if chance == nil {
		return n.kept
	}
	b := append([]byte(nil), n.kept...)
	if n.resized > 0 && chance.IntN(2) > 0 {
		b = resize(b, len(n.memory))
	}
	often := chance.IntN(5) // of four
	for p := range n.dirty {
		for at := p * page; at < min(p*page+page, len(n.memory)); at += sector {
			if end := min(at+sector, len(n.memory)); end <= len(b) && chance.IntN(4) < often {
				copy(b[at:end], n.memory[at:end])
			}
		}
	}
	return b
}
