package sqlitelog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	sqlite3 "modernc.org/sqlite/lib"

	"proofstream/stream"
)

// Healthy returns nil when an append would be expected to succeed, or why not.
func (l *Log) Healthy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sites == nil {
		return errNotOpen
	}
	if l.corrupt != nil {
		return l.corrupt
	}
	return l.fault
}

// Damage returns how many faults were found in the log's files since Open, 0 when they are sound.
func (l *Log) Damage() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.damage
}

func (l *Log) damaged(faults int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.damage += faults
}

// writable returns why nothing can be written before a restart, or nil. A database that is no longer under its name
// would take signups that nobody finds again.
func (l *Log) writable() error {
	if now, err := os.Stat(l.path); errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, l.identity) {
		return l.foundCorrupt(fmt.Errorf("%w: %s was removed or replaced while the service ran", errCorrupt, l.path))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.corrupt
}

// probeSize is what has to fit on the disk before a log that could not be written is tried again: more than any append
// takes.
const probeSize = 128 << 10

// probeDisk writes and removes a file. A transaction that changes little would fit where no signup does.
func (l *Log) probeDisk() error {
	path := filepath.Join(l.opts.Dir, "proofstream.probe")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return explain(err, l.opts.Dir)
	}
	_, err = f.Write(make([]byte, probeSize))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(path))
}

// succeeded publishes the state after a commit, which proves that the log is healthy.
func (l *Log) succeeded(sites map[string]*site) {
	l.mu.Lock()
	healed := l.fault != nil
	l.fault = nil
	for name, s := range sites {
		old := l.sites[name]
		if l.sites[name] = s; old != nil {
			close(old.moved)
		}
	}
	l.mu.Unlock()
	if healed {
		l.opts.Logger.Info("event log can be written again", "dir", l.opts.Dir)
	}
}

// failed records why a transaction did not succeed, and returns it for the callers.
func (l *Log) failed(err error) error {
	if corrupt(err) {
		return l.foundCorrupt(err)
	}
	err = fmt.Errorf("%w: %s (%w)", stream.ErrUnavailable, inWords(err), err)
	l.mu.Lock()
	first := l.fault == nil
	l.fault = err
	l.mu.Unlock()
	if first {
		l.opts.Logger.Error("event log cannot be written", "dir", l.opts.Dir, "error", err)
	}
	return err
}

// readFailed returns the error of a read for its caller. Damage that it met is recorded.
func (l *Log) readFailed(err error) error {
	var bad *badRow
	switch {
	case err == nil || errors.As(err, &bad):
		return err
	case corrupt(err):
		return l.foundCorrupt(err)
	}
	return fmt.Errorf("%w: %s (%w)", stream.ErrUnavailable, inWords(err), err)
}

// foundCorrupt records damage of the database itself. Nothing is written on top of it.
func (l *Log) foundCorrupt(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.corrupt == nil {
		l.corrupt = fmt.Errorf("%w: the database is damaged: restart to repair it (%w)", stream.ErrUnavailable, err)
		l.damage++
		l.opts.Logger.Error("event log is damaged; restart to repair it", "dir", l.opts.Dir, "error", err)
	}
	return l.corrupt
}

// worded adds what an error of SQLite means.
func worded(err error) error {
	if code(err) == 0 {
		return err
	}
	return fmt.Errorf("%s (%w)", inWords(err), err)
}

// inWords says what an error of SQLite means for the operator.
func inWords(err error) string {
	switch code(err) {
	case sqlite3.SQLITE_FULL:
		return "no space is left on the disk; free some"
	case sqlite3.SQLITE_READONLY:
		return "the database is read-only; mount its file system for writing, or let this user write it"
	case sqlite3.SQLITE_IOERR:
		return "the disk reports an error; look at the system's log"
	case sqlite3.SQLITE_BUSY:
		return "another process keeps the database locked; end it"
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return "the database cannot be opened; let this user read and write it"
	}
	return "the database refuses"
}

// dueSites returns the sites where retention has something to remove now, and when it has in others.
func (l *Log) dueSites() (names []string, next int64) {
	now := l.now().UnixMilli()
	l.mu.Lock()
	defer l.mu.Unlock()
	next = never
	for name, s := range l.sites {
		switch due := s.due(l.opts.Limits); {
		case due <= now:
			names = append(names, name)
		default:
			next = min(next, due)
		}
	}
	return names, next
}
