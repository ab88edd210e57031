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

// Healthy returns nil when an Append would be expected to succeed now, or why not.
func (l *Log) Healthy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sites == nil {
		return errNotOpen
	}
	if l.damageErr != nil {
		return l.damageErr
	}
	return l.writeErr
}

// Damage returns how many faults were found in the log's files since Open, 0 when they are sound.
func (l *Log) Damage() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.damage
}

// damaged adds to the number of faults.
func (l *Log) damaged(faults int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.damage += faults
}

// writable returns why nothing may be written until a restart, or nil. Signups in a database file that no longer has its name would be lost.
func (l *Log) writable() error {
	if now, err := os.Stat(l.path); errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, l.identity) {
		return l.recordDamage(fmt.Errorf("%w: %s was removed or replaced while the service ran", errCorrupt, l.path))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.damageErr
}

// probeSize is how many bytes have to fit on the disk before the writer tries a log again that could not be written. No append takes more.
const probeSize = 128 << 10

// probeDisk writes and removes a file of probeSize. A small transaction would succeed where no signup fits.
func (l *Log) probeDisk() error {
	path := filepath.Join(l.opts.Dir, "proofstream.probe")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return explain(err, l.opts.Dir)
	}
	_, err = f.Write(make([]byte, probeSize))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(path))
}

// committed publishes the state after a commit, which also proves that the log can be written.
func (l *Log) committed(sites map[string]*site) {
	l.mu.Lock()
	repaired := l.writeErr != nil
	l.writeErr = nil
	for name, s := range sites {
		old := l.sites[name]
		if l.sites[name] = s; old != nil {
			close(old.moved)
		}
	}
	l.mu.Unlock()
	if repaired {
		l.opts.Logger.Info("event log can be written again", "dir", l.opts.Dir)
	}
}

// writeFailed records why a transaction failed, and returns the error for its callers.
func (l *Log) writeFailed(err error) error {
	if corrupt(err) {
		return l.recordDamage(err)
	}
	err = fmt.Errorf("%w: %w", stream.ErrUnavailable, describe(err))
	l.mu.Lock()
	first := l.writeErr == nil
	l.writeErr = err
	l.mu.Unlock()
	if first {
		l.opts.Logger.Error("event log cannot be written", "dir", l.opts.Dir, "error", err)
	}
	return err
}

// readFailed returns the error of a read for its caller. It records damage.
func (l *Log) readFailed(err error) error {
	var bad *badRow
	switch {
	case err == nil || errors.As(err, &bad):
		return err
	case corrupt(err):
		return l.recordDamage(err)
	}
	return fmt.Errorf("%w: %w", stream.ErrUnavailable, describe(err))
}

// recordDamage records damage of the database itself. After it, nothing is written until a restart.
func (l *Log) recordDamage(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.damageErr == nil {
		l.damageErr = fmt.Errorf("%w: the database is damaged: restart to repair it (%w)", stream.ErrUnavailable, err)
		l.damage++
		l.opts.Logger.Error("event log is damaged; restart to repair it", "dir", l.opts.Dir, "error", err)
	}
	return l.damageErr
}

// describe adds to an error of SQLite what it means for the operator.
func describe(err error) error {
	meaning := ""
	switch code(err) {
	case sqlite3.SQLITE_FULL:
		meaning = "no space is left on the disk; free some"
	case sqlite3.SQLITE_READONLY:
		meaning = "the database is read-only; mount its file system for writing, or let this user write it"
	case sqlite3.SQLITE_IOERR:
		meaning = "the disk reports an error; look at the system's log"
	case sqlite3.SQLITE_BUSY:
		meaning = "another process keeps the database locked; end it"
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		meaning = "the database cannot be opened; let this user read and write it"
	default:
		return err
	}
	return fmt.Errorf("%s (%w)", meaning, err)
}
