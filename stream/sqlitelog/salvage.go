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

// Names of files, after that of the database. One that is salvaged is complete: it takes the place of the
// database at the latest when the next process starts.
const (
	newSuffix      = ".new"
	salvagedSuffix = ".salvaged-"
	damagedSuffix  = ".damaged-"
	walSuffix      = "-wal"
)

const progressEvery = 5 * time.Second

// salvage replaces the damaged database by one with every row that is intact, under a history that gives cursors
// from before a gap. The damaged files are kept under a name with the time. After a crash half way it
// can be called again.
func (l *Log) salvage(ctx context.Context, wrong []string) error {
	log := l.opts.Logger.With("dir", l.opts.Dir)
	log.Error("event log is damaged; salvaging what is intact", "faults", wrong)
	begin, said := time.Now(), time.Now()
	s := newSalvage(readRecord(l.lock), func(done, total int) {
		if time.Since(said) > progressEvery {
			said = time.Now()
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
		"events_damaged", s.unfit, "events_of_lost_sites", s.nameless, "took", time.Since(begin).Round(time.Millisecond))
	return nil
}

// resumeSalvage finishes a salvage that a crash has interrupted.
func (l *Log) resumeSalvage() error {
	aside, err := l.finishSalvage()
	if err == nil && aside != "" {
		l.damaged(1)
		l.opts.Logger.Error("event log was damaged, and salvaged before a crash; cursors from before get a gap, the damaged file is kept",
			"dir", l.opts.Dir, "file", aside)
	}
	return err
}

// unreadFrames says what is wrong with the WAL of a database in which commits are missing, when a salvage may
// find some of them: SQLite passes over all that follows a damaged frame, and takes a foreign WAL for its own.
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

func removeDatabase(path string) error {
	for _, suffix := range []string{"", "-journal", walSuffix, "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// commitSalvage gives the new database a name that says that it is complete, and which damaged file it is for.
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

// finishSalvage puts a salvaged database, if there is one, in the place of the damaged one, which it moves aside. It
// returns that one's new name. Each step can be repeated.
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
		err = errors.Join(removeDatabase(l.path), l.syncDir(l.opts.Dir)) // what is left of it is the -shm
		if err == nil {
			err = errors.Join(os.Rename(l.path+salvagedSuffix+name, l.path), l.syncDir(l.opts.Dir))
		}
		break
	}
	return aside, err
}
