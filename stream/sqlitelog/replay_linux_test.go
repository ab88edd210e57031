package sqlitelog

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// replay repeats the calls of one process on a disk.
type replay struct {
	t    *testing.T
	base string // the directory that the disk is of
	disk *disk
	open map[int]*opening

	reported func(line string) // called as the process begins to write a line to its stdout
	changed  func(kind string) // called after each call that changed the disk, with its name and that of the file

	syncing map[string]func(bool) // ends the fsync that a thread has begun
	failed  int                   // fsyncs
	unknown []call                // writes during which the process was killed
}

// opening is an open file. Its node is nil when that is none of the disk's.
type opening struct {
	node   *inode
	name   string
	offset int
}

// run repeats all calls.
func (r *replay) run(calls []call) {
	r.t.Helper()
	r.open, r.syncing, r.unknown = map[int]*opening{1: {}}, map[string]func(bool){}, nil
	for _, c := range calls {
		if c.begins {
			r.begin(c)
		}
		if c.ends {
			r.end(c)
		}
	}
}

// begin does what has to be done, or noted, before other calls.
func (r *replay) begin(c call) {
	switch c.name {
	case "close":
		delete(r.open, c.number(0))
	case "write":
		if c.number(0) == 1 {
			r.reported(strings.TrimSpace(string(c.text(0))))
		}
	case "fsync", "fdatasync":
		if o := r.open[c.number(0)]; o != nil && o.node != nil {
			r.syncing[c.thread] = r.disk.sync(o.node)
		}
	}
}

// end does what a call has done.
func (r *replay) end(c call) {
	o := r.open[c.number(0)]
	inside := o != nil && o.node != nil
	if end := r.syncing[c.thread]; end != nil && strings.HasSuffix(c.name, "sync") {
		delete(r.syncing, c.thread)
		if end(c.result == 0); c.result != 0 {
			r.failed++
		}
		r.changed(c.name + " " + o.name)
		return
	}
	if c.unknown && c.name == "pwrite64" && inside {
		r.unknown = append(r.unknown, c)
	}
	if c.result < 0 {
		return
	}
	switch c.name {
	case "open", "openat":
		r.openFile(c)
	case "mkdir", "mkdirat", "unlink", "unlinkat", "rename", "renameat", "renameat2":
		r.rename(c)
	case "write", "pwrite64", "ftruncate", "lseek":
		if inside {
			r.change(c, o)
			r.changed(c.name + " " + o.name)
		}
	case "close", "fsync", "fdatasync":
	default:
		if inside || bytes.Contains(c.text(0), []byte(r.base)) {
			r.t.Fatalf("the disk has no %s", c.name)
		}
	}
}

func (r *replay) change(c call, o *opening) {
	switch c.name {
	case "write":
		r.disk.write(o.node, c.text(0)[:c.result], o.offset)
		o.offset += c.result
	case "pwrite64":
		r.disk.write(o.node, c.text(0)[:c.result], c.number(3))
	case "ftruncate":
		r.disk.truncate(o.node, c.number(1))
	case "lseek":
		o.offset = c.result
	}
}

// at returns the directory and the last name of a path; directory is nil when that is none of the disk's.
func (r *replay) at(path []byte) (directory *inode, name string) {
	if path := string(path); !filepath.IsAbs(path) {
		r.t.Fatalf("the disk has no relative paths, as %q", path)
	}
	inside, found := strings.CutPrefix(string(path), r.base+"/")
	if !found {
		return nil, ""
	}
	dir, parts := r.disk.root, strings.Split(inside, "/")
	for _, part := range parts[:len(parts)-1] {
		if dir = dir.names[part]; dir == nil {
			r.t.Fatalf("%s is not on the disk", path)
		}
	}
	return dir, parts[len(parts)-1]
}

func (r *replay) openFile(c call) {
	o := &opening{}
	r.open[c.result] = o
	if path := string(c.text(0)); path == r.base {
		o.node = r.disk.root
		return
	}
	dir, name := r.at(c.text(0))
	if dir == nil {
		return
	}
	r.disk.now++
	o.name = name
	if o.node = dir.names[name]; o.node == nil {
		o.node = newNode()
		r.disk.name(dir, name, o.node)
		r.changed("create " + name)
	} else if strings.Contains(c.args, "O_TRUNC") {
		r.disk.truncate(o.node, 0)
		r.changed("empty " + name)
	}
	if strings.Contains(c.args, "O_APPEND") || strings.Contains(c.args, "SYNC") {
		r.t.Fatal("the disk has no O_APPEND and no O_SYNC")
	}
}

// rename makes and removes names.
func (r *replay) rename(c call) {
	dir, name := r.at(c.text(0))
	if dir == nil {
		return
	}
	r.disk.now++
	switch strings.TrimRight(c.name, "at2") {
	case "mkdir":
		r.disk.name(dir, name, newDirectory())
	case "unlink":
		r.disk.name(dir, name, nil)
	default:
		to, toName := r.at(c.text(1))
		node := dir.names[name]
		r.disk.name(dir, name, nil)
		r.disk.name(to, toName, node)
	}
	r.changed(c.name + " " + name)
}

// apply does the writes to a file during which the process was killed.
func (r *replay) apply(n *inode) {
	for _, c := range r.unknown {
		if o := r.open[c.number(0)]; o != nil && o.node == n {
			c.result = len(c.text(0)) // nobody has returned it: as the file has changed, it wrote all
			r.change(c, o)
		}
	}
}

// check compares what the disk has in memory with the files of the machine that the calls were made on: a
// model that lost track, because a file is written by other means, proves nothing. Only the index of the
// write-ahead log, which SQLite makes again after a crash, is mapped into memory.
func (r *replay) check(dir *inode, path string) {
	r.t.Helper()
	for name, n := range dir.names {
		path := filepath.Join(path, name)
		if n.names != nil {
			r.check(n, path)
			continue
		}
		b, err := os.ReadFile(path)
		if !bytes.Equal(b, n.memory) {
			r.apply(n)
		}
		if err != nil || !bytes.Equal(b, n.memory) && !strings.HasSuffix(name, "-shm") {
			r.t.Errorf("%s has %d bytes, %d in the model, %v", path, len(b), len(n.memory), err)
		}
	}
}
