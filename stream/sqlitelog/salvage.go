package sqlitelog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"
	"time"
)

// Suffixes of files, after the name of the database.
const (
	// newSuffix is that of a database that is being written.
	newSuffix = ".new"
	// salvagedSuffix, with a time behind it, is that of a complete salvaged database. It replaces the damaged one, at the latest at the next start.
	salvagedSuffix = ".salvaged-"
	// damagedSuffix, with a time behind it, is that of a damaged database, which is kept.
	damagedSuffix = ".damaged-"
	// walSuffix is that of SQLite's write-ahead log (WAL).
	walSuffix = "-wal"
)

// progressInterval is the time between two log lines about the progress of a salvage.
const progressInterval = 5 * time.Second

// salvage replaces the damaged database by a new one with every intact row, and with epochs that give every earlier cursor a gap. It keeps the
// damaged files under a name with the time. After a crash it can be called again.
func (l *Log) salvage(ctx context.Context, wrong []string) error {
	log := l.opts.Logger.With("dir", l.opts.Dir)
	log.Error("event log is damaged; salvaging what is intact", "faults", wrong)
	begun, logged := time.Now(), time.Now()
	s := newSalvage(readRecord(l.lock), func(done, total int) {
		if time.Since(logged) > progressInterval {
			logged = time.Now()
			log.Info("salvaging the event log", "pages", done, "of", total)
		}
	})
	fresh, aside := l.path+newSuffix, ""
	err := removeDatabase(fresh)
	if err == nil {
		err = s.run(ctx, l.path, fresh)
	}
	if err == nil {
		err = l.commitSalvage(fresh)
	}
	if err == nil {
		aside, err = l.finishSalvage()
	}
	if err != nil {
		return fmt.Errorf("salvage %s, which takes as much free space as that: %w", l.path, err)
	}
	log.Error("event log was damaged; cursors from before get a gap, the damaged file is kept", "file", aside, "events_kept", s.kept,
		"events_damaged", s.damaged, "events_of_lost_sites", s.ofLostSites, "took", time.Since(begun).Round(time.Millisecond))
	return nil
}

// resumeSalvage finishes a salvage that a crash interrupted.
func (l *Log) resumeSalvage() error {
	aside, err := l.finishSalvage()
	if err == nil && aside != "" {
		l.damaged(1)
		l.opts.Logger.Error("event log was damaged, and salvaged before a crash; cursors from before get a gap, the damaged file is kept",
			"dir", l.opts.Dir, "file", aside)
	}
	return err
}

// unreadFrames returns the fault of a WAL when commits are missing of which a salvage may find some: SQLite ignores everything after a damaged
// frame, and uses a WAL of another database.
func (l *Log) unreadFrames(last *commits, c *checked) (wrong []string, err error) {
	if last == nil || last.instance == c.meta.instance && last.tx <= c.tx {
		return nil, nil
	}
	file, wal, done, err := openFiles(l.path)
	defer done()
	if err != nil {
		return nil, err
	}
	used := newImage(file, wal, false)
	if foreign(used) || !maps.Equal(used.newest, newImage(file, wal, true).newest) {
		wrong = append(wrong, "the newest commits are missing, and the write-ahead log is damaged or foreign")
	}
	return wrong, nil
}

// removeDatabase removes a database and the files that SQLite keeps beside it.
func removeDatabase(path string) error {
	for _, suffix := range []string{"", "-journal", walSuffix, "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// commitSalvage syncs the new database and gives it the name of a complete salvage.
func (l *Log) commitSalvage(fresh string) error {
	f, err := os.OpenFile(fresh, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	now := l.now().UTC().Format("20060102T150405Z")
	name := now
	for n := 2; exists(l.path+damagedSuffix+name) || exists(l.path+damagedSuffix+name+walSuffix); n++ {
		name = fmt.Sprintf("%s-%d", now, n)
	}
	if err := os.Rename(fresh, l.path+salvagedSuffix+name); err != nil {
		return err
	}
	return l.syncDir(l.opts.Dir)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// finishSalvage renames the damaged database and gives its name to the salvaged one, if there is a salvaged one. It returns the new name of the
// damaged database, "" when there was nothing to do. Each step can be repeated.
func (l *Log) finishSalvage() (aside string, err error) {
	entries, err := os.ReadDir(l.opts.Dir)
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), databaseFile+salvagedSuffix)
		if !ok {
			continue
		}
		aside = l.path + damagedSuffix + name
		for _, suffix := range []string{walSuffix, ""} {
			if err := os.Rename(l.path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
		}
		err = errors.Join(removeDatabase(l.path), l.syncDir(l.opts.Dir)) // only the -shm file is left of it
		if err == nil {
			err = errors.Join(os.Rename(l.path+salvagedSuffix+name, l.path), l.syncDir(l.opts.Dir))
		}
		break
	}
	return aside, err
}
