package natslog

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// replay repeats the calls of one process on a disk.
type replay struct {
	t    *testing.T
	base string // the directory that the disk is of
	disk *disk
	open map[int]*opening

	told func(at time.Duration, line string) // called as the process begins to write a line to its stdout
	kept func(at time.Duration, n *inode)    // called when an fsync of it has succeeded; may be nil

	syncing map[string]func(bool) // ends the fsync that a thread has begun
	files   map[string]*inode     // on which a thread's fsync is
	failed  int                   // fsyncs
}

// opening is an open file. Its file is nil when that is none of the disk's.
type opening struct {
	node   *inode
	offset int
}

// run repeats all calls.
func (r *replay) run(calls []call) {
	r.t.Helper()
	r.open, r.syncing, r.files = map[int]*opening{1: {}}, map[string]func(bool){}, map[string]*inode{}
	for _, c := range calls {
		if c.begins {
			r.begin(c)
		}
		if c.ends {
			r.end(c)
		}
	}
}

// begin does what has to be done, or noted, before others can come between.
func (r *replay) begin(c call) {
	switch c.name {
	case "close":
		delete(r.open, c.number(0))
	case "write":
		if c.number(0) == 1 {
			r.told(c.at, strings.TrimSpace(string(c.text(0))))
		}
	case "fsync", "fdatasync":
		if o := r.open[c.number(0)]; o != nil && o.node != nil {
			r.syncing[c.thread], r.files[c.thread] = r.disk.sync(o.node), o.node
		}
	}
}

// end does what a call has done.
func (r *replay) end(c call) {
	if end := r.syncing[c.thread]; end != nil && strings.HasSuffix(c.name, "sync") {
		delete(r.syncing, c.thread)
		if end(c.result == 0); c.result != 0 {
			r.failed++
		} else if r.kept != nil {
			r.kept(c.at, r.files[c.thread])
		}
		return
	}
	if c.result < 0 {
		return
	}
	switch c.name {
	case "openat":
		r.openFile(c)
	case "mkdirat", "unlinkat", "renameat", "renameat2":
		r.rename(c)
	case "write", "pwrite64", "ftruncate", "lseek":
		if o := r.open[c.number(0)]; o != nil && o.node != nil {
			r.change(c, o)
		}
	case "close", "fsync", "fdatasync", "sync_file_range":
	default:
		if o := r.open[c.number(0)]; o != nil && o.node != nil || bytes.Contains(c.text(0), []byte(r.base)) {
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
func (r *replay) at(path string, fd int) (directory *inode, name string) {
	dir := r.disk.root
	if !filepath.IsAbs(path) {
		if o := r.open[fd]; o == nil || o.node == nil {
			return nil, ""
		} else {
			dir = o.node
		}
	} else {
		var inside bool
		if path, inside = strings.CutPrefix(path, r.base+"/"); !inside {
			return nil, ""
		}
	}
	parts := strings.Split(path, "/")
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
	path := string(c.text(0))
	if path == r.base {
		o.node = r.disk.root
		return
	}
	dir, name := r.at(path, c.number(0))
	if dir == nil {
		return
	}
	r.disk.now++
	if o.node = dir.names[name]; o.node == nil {
		o.node = newFile()
		r.disk.name(dir, name, o.node)
	} else if strings.Contains(c.args, "O_TRUNC") {
		r.disk.truncate(o.node, 0)
	}
	if o.node.names == nil {
		o.node.sync = strings.Contains(c.args, "O_SYNC")
	}
	if strings.Contains(c.args, "O_APPEND") {
		r.t.Fatal("the disk has no O_APPEND")
	}
}

// rename makes and removes names.
func (r *replay) rename(c call) {
	dir, name := r.at(string(c.text(0)), c.number(0))
	if dir == nil {
		return
	}
	r.disk.now++
	switch c.name {
	case "mkdirat":
		r.disk.name(dir, name, newDirectory())
	case "unlinkat":
		r.disk.name(dir, name, nil)
	default:
		to, toName := r.at(string(c.text(1)), c.number(2))
		node := dir.names[name]
		r.disk.name(dir, name, nil)
		r.disk.name(to, toName, node)
	}
}

// check compares what the disk has in memory with the files of the machine that the calls were made on: a
// model that lost track proves nothing. The record is left out, as the end may have come while it was written.
func (r *replay) check(dir *inode, path string) {
	r.t.Helper()
	for name, n := range dir.names {
		if strings.HasPrefix(name, "log.json") {
			continue
		}
		path := filepath.Join(path, name)
		if n.names != nil {
			r.check(n, path)
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(b, n.memory) {
			r.t.Errorf("%s has %d bytes, %d in the model, %v", path, len(b), len(n.memory), err)
		}
	}
}
