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
	databaseFile = "proofstream.db"
	readers      = 4 // connections
)

var (
	errNotOpen = fmt.Errorf("%w: it is not open", stream.ErrUnavailable)
	errStopped = fmt.Errorf("%w: it has stopped", stream.ErrUnavailable)
)

var _ stream.Log = (*Log)(nil)

// Log is a stream.Log in one SQLite database.
type Log struct {
	opts     Options
	path     string
	now      func() time.Time
	requests chan *request // to Run
	stopped  chan struct{} // closed when Run has returned
	closed   chan struct{} // closed by Close
	readers  chan *conn    // those not in use

	// Set by Open.
	lock     *os.File    // the locked file, which also has the record of commits
	instance string      // of the database
	identity os.FileInfo // of its file
	writer   *writer     // of Open, then Run, then Close
	pooled   int         // connections in readers, with those in use
	unsynced bool        // the file system cannot sync directories, which was logged

	// mu guards what follows.
	mu      sync.Mutex
	sites   map[string]*site // as of the last commit; nil while the log is not open
	fault   error            // why the last commit did not succeed
	corrupt error            // damage that only a restart repairs
	damage  int
}

// New returns a log that is not open yet.
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

// Close closes the files in good order. It is called once, after Run has returned or when Run was never
// called; calls in progress end with stream.ErrUnavailable.
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

// Now returns the time by the log's clock.
func (l *Log) Now() time.Time { return l.now() }

// Bounds returns the bounds of a site's log.
func (l *Log) Bounds(ctx context.Context, name string) (stream.Bounds, error) {
	s, err := l.site(ctx, name)
	if err != nil {
		return stream.Bounds{}, fmt.Errorf("bounds of site %s: %w", name, err)
	}
	return s.bounds(l.opts.Limits), nil
}

// site returns the state of a site's log, and creates it when it is new.
func (l *Log) site(ctx context.Context, name string) (*site, error) {
	if !stream.ValidSite(name) {
		return nil, fmt.Errorf("%q is not a site name", name)
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

func (l *Log) known(name string) (s *site, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sites[name], l.sites != nil
}
