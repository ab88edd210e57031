package sqlitelog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"proofstream/stream"
)

const (
	// databaseFile is the name of the database.
	databaseFile = "proofstream.db"
	// readers is how many connections for reading a log has.
	readers = 4
)

// The errors of a log that does not run.
var (
	errNotOpen = fmt.Errorf("%w: it is not open", stream.ErrUnavailable)
	errStopped = fmt.Errorf("%w: it has stopped", stream.ErrUnavailable)
)

var _ stream.Log = (*Log)(nil)

// Log is a stream.Log in one SQLite database. New makes one. All methods except Open, Run and Close may be called at the same time.
type Log struct {
	opts     Options
	path     string
	now      func() time.Time
	requests chan *request // to Run
	stopped  chan struct{} // closed when Run has returned
	closed   chan struct{} // closed by Close
	readers  chan *conn    // those not in use

	// Set by Open.
	lock     *os.File    // the locked file, which also holds the record of the last commit
	instance string      // of the database
	identity os.FileInfo // of its file
	writer   *writer     // of Open, then Run, then Close
	pooled   int         // connections in readers, with those in use
	unsynced bool        // the file system cannot sync directories, which was logged

	mu        sync.Mutex       // guards the fields below
	sites     map[string]*site // as of the last commit; nil while the log is not open
	writeErr  error            // why the last commit failed; nil after a success
	damageErr error            // damage that only a restart repairs; nil without
	damage    int              // faults found since Open
}

// New returns a log that is not open yet. Until Open has returned, its methods return stream.ErrUnavailable.
func New(o Options) *Log {
	return &Log{
		opts:     o.withDefaults(),
		path:     filepath.Join(o.Dir, databaseFile),
		now:      time.Now,
		requests: make(chan *request),
		stopped:  make(chan struct{}),
		closed:   make(chan struct{}),
		readers:  make(chan *conn, readers),
	}
}

// Close closes the files. It is called once, after Run has returned, or when Run was never called. Calls in progress return
// stream.ErrUnavailable.
func (l *Log) Close() error {
	l.mu.Lock()
	open := l.sites != nil
	l.sites = nil
	l.mu.Unlock()
	close(l.closed)
	if !open {
		return nil
	}
	err := l.writer.setOpen(0)
	return errors.Join(err, l.release())
}

// release closes what Open has opened.
func (l *Log) release() error {
	var errs []error
	for ; l.pooled > 0; l.pooled-- {
		errs = append(errs, (<-l.readers).close())
	}
	if l.writer != nil {
		errs = append(errs, l.writer.conn.close(), l.writer.file.Close())
		l.writer = nil
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
		l.lock = nil
	}
	return errors.Join(errs...)
}

// Now returns the time by the log's clock, which is the system's.
func (l *Log) Now() time.Time { return l.now() }

// Bounds returns the bounds of a site's log after the last commit.
func (l *Log) Bounds(ctx context.Context, name string) (stream.Bounds, error) {
	s, err := l.site(ctx, name)
	if err != nil {
		return stream.Bounds{}, fmt.Errorf("bounds of site %s: %w", name, err)
	}
	return s.bounds(l.opts.Limits), nil
}

// site returns the state of a site after the last commit. It creates the site when it is new.
func (l *Log) site(ctx context.Context, name string) (*site, error) {
	if err := stream.CheckSite(name); err != nil {
		return nil, err
	}
	if s, open := l.known(name); s != nil || !open {
		if !open {
			return nil, errNotOpen
		}
		return s, nil
	}
	err := l.submit(ctx, func(t *tx) error {
		_, err := t.site(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	if s, open := l.known(name); open {
		return s, nil
	}
	return nil, errNotOpen
}

// known returns the state of a site after the last commit, nil when there is no such site, and whether the log is open.
func (l *Log) known(name string) (s *site, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sites[name], l.sites != nil
}
