package sqlitelog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"proofstream/stream"
)

const (
	maxBatch      = 256                    // requests that share a transaction at most
	tickEvery     = 100 * time.Millisecond // at most so often
	truncateEvery = 250 * time.Millisecond
)

// request asks the writer for a change.
type request struct {
	ctx   context.Context
	do    func(*tx) error // runs in a transaction with those of others
	done  chan error
	err   error // its own; others' changes are stored
	purge bool  // set by do: the answer has to wait for a purge
}

// submit has the writer do a change, and returns when it is on disk. The error is that of the context,
// or wraps stream.ErrUnavailable.
func (l *Log) submit(ctx context.Context, do func(*tx) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r := &request{ctx: ctx, do: do, done: make(chan error, 1)}
	select {
	case l.requests <- r: // from here the writer answers it
	case <-ctx.Done():
		return ctx.Err()
	case <-l.stopped:
		return errStopped
	case <-l.closed:
		return errStopped
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writer is what the goroutine that writes needs. Nobody else uses it meanwhile.
type writer struct {
	log       *Log
	conn      *conn
	file      *os.File   // the database; to close it would drop the locks of conn and of the readers, as POSIX has it
	tx        int64      // number of the last committed transaction
	due       int64      // when retention has something to remove, Unix milliseconds
	ticked    time.Time  // when it was last applied
	unclean   bool       // the files may hold erased bytes
	erasing   []*request // erasures that wait for a purge
	truncated time.Time  // when that was last tried

	quarantined map[int64]bool // row ids of events that were removed because they do not fit their sum
}

// Run stores what the log's callers append and erase, and applies the retention, until ctx ends. It
// answers what it has taken, and then returns nil. It runs once.
func (l *Log) Run(ctx context.Context) error {
	if l.writer == nil {
		return errNotOpen
	}
	defer close(l.stopped)
	w := l.writer
	defer func() { w.answerErasures(errStopped) }()
	timer := time.NewTimer(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-l.requests:
			w.commit(w.batch(r))
		case <-timer.C:
			w.tick()
		}
		if len(w.erasing) > 0 {
			w.finishErasures()
		}
		timer.Reset(w.pause())
	}
}

// batch returns the first request and those that wait behind it.
func (w *writer) batch(first *request) []*request {
	batch := append(make([]*request, 0, 16), first)
	runtime.Gosched() // callers that were answered just now may have more
	for len(batch) < maxBatch {
		select {
		case r := <-w.log.requests:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// commit does what the requests ask for in one transaction and answers them, erasures once their bytes are gone.
func (w *writer) commit(batch []*request) {
	err := w.write(batch, false)
	for _, r := range batch {
		switch {
		case err != nil:
			r.done <- err
		case r.purge:
			w.erasing = append(w.erasing, r)
		default:
			r.done <- r.err
		}
	}
}

// write runs a transaction; probe makes it write even if nothing changes. After an error nothing of it is in
// force. SQLite does not count frames of the write-ahead log as written when their fsync failed, and the next
// transaction writes the same part of the file again (sqlite3WalFrames, wal.c): nothing depends on pages that the
// kernel has dropped. A checkpoint whose fsync failed is done again from its beginning.
func (w *writer) write(batch []*request, probe bool) error {
	t := &tx{writer: w, now: w.log.now().UnixMilli(), sites: map[string]*site{}, probe: probe}
	err := w.log.writable()
	if err == nil {
		err = t.run(batch)
	}
	if err != nil {
		return w.log.failed(err)
	}
	if len(t.sites) > 0 {
		w.tx++
		w.log.record(w.tx)
	}
	if len(t.sites) > 0 || probe {
		w.log.succeeded(t.sites)
	}
	for _, s := range t.sites {
		w.due = min(w.due, s.due(w.log.opts.Limits))
	}
	return nil
}

// pause returns how long the writer may wait for requests. Its upper bound lets a clock that was set take effect.
func (w *writer) pause() time.Duration {
	wait := time.Duration(w.due-w.log.now().UnixMilli()) * time.Millisecond
	if w.due == never {
		wait = time.Hour
	}
	wait = min(max(wait, tickEvery-time.Since(w.ticked)), time.Second)
	if w.log.Healthy() != nil {
		wait = max(time.Second-time.Since(w.ticked), 0)
	}
	if len(w.erasing) > 0 {
		wait = min(wait, truncateEvery)
	}
	return wait
}

// tick applies the retention where it is due. While the log is not healthy it also probes whether it can be written.
func (w *writer) tick() {
	if w.log.writable() != nil || w.due > w.log.now().UnixMilli() && w.log.Healthy() == nil {
		return
	}
	w.ticked = time.Now()
	if w.log.Healthy() != nil && w.log.probeDisk() != nil {
		return
	}
	names, next := w.log.dueSites()
	w.due = next
	retain := func(t *tx) error {
		for _, name := range names {
			if _, err := t.site(name); err != nil {
				return err
			}
		}
		return nil
	}
	if err := w.write([]*request{{ctx: context.Background(), do: retain}}, w.log.Healthy() != nil); err != nil {
		w.due = 0
	}
}

// finishErasures removes the erased bytes from the files, and answers the erasures that wait for it. A reader of
// another process delays it.
func (w *writer) finishErasures() {
	if time.Since(w.truncated) < truncateEvery {
		return
	}
	err := w.purge()
	if err == nil {
		w.answerErasures(nil)
		return
	}
	w.truncated = time.Now()
	waiting := w.erasing[:0]
	for _, r := range w.erasing {
		if r.ctx.Err() != nil {
			r.done <- fmt.Errorf("%w: the event is erased, but its bytes are still in a file: %w", stream.ErrUnavailable, err)
			continue
		}
		waiting = append(waiting, r)
	}
	w.erasing = waiting
}

func (w *writer) answerErasures(err error) {
	for _, r := range w.erasing {
		r.done <- err
	}
	w.erasing = nil
}

var errBusy = errors.New("another process is reading the database; end what keeps it open")

// truncate moves everything to the database file and empties the write-ahead log. It waits only a
// moment for readers: appends wait meanwhile.
func (w *writer) truncate() error {
	if err := w.conn.exec("PRAGMA busy_timeout = 50"); err != nil {
		return err
	}
	busy, err := w.conn.value("PRAGMA wal_checkpoint(TRUNCATE)")
	if err == nil && busy != 0 {
		err = errBusy
	}
	if err == nil {
		w.truncated = time.Time{}
	}
	return errors.Join(err, w.conn.exec("PRAGMA busy_timeout = 5000"))
}
