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
	// maxBatch is how many requests share a transaction at most.
	maxBatch = 256
	// tickInterval is the least time between two ticks, which apply retention by age.
	tickInterval = 100 * time.Millisecond
	// truncateInterval is the least time between two tries to purge erased bytes.
	truncateInterval = 250 * time.Millisecond
	// probeInterval is the time between two ticks while the log is not healthy, and the longest wait of the writer while it is.
	probeInterval = time.Second
)

// request is a change that the writer is to make.
type request struct {
	ctx   context.Context
	do    func(*tx) error // runs in a transaction with other requests; after an error of it, none of them is stored
	done  chan error
	err   error // why it alone was not run; the others are stored
	purge bool  // set by do: it is not done before a purge
}

// submit makes the writer run a change, and returns when it is on disk. The error is the context's, the change's, or wraps
// stream.ErrUnavailable.
func (l *Log) submit(ctx context.Context, do func(*tx) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r := &request{ctx: ctx, do: do, done: make(chan error, 1)}
	select {
	case l.requests <- r: // from here on the writer sends to done
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

// writer is the state of the goroutine that writes. No other goroutine uses it meanwhile.
type writer struct {
	log           *Log
	conn          *conn
	file          *os.File   // the database; open while conn and the readers are: POSIX drops their locks when any descriptor of the file is closed
	tx            int64      // number of the last committed transaction
	due           int64      // when retention next removes something, Unix milliseconds
	ticked        time.Time  // when the last tick was
	unclean       bool       // the files may hold erased bytes
	erasing       []*request // erasures that wait for a purge
	purgeFailedAt time.Time  // when a purge last failed; zero when none has since the last truncation

	quarantined map[int64]bool // row ids of events that were removed because they do not fit their sum
}

// Run stores and erases for the log's callers and applies retention, until ctx ends. It completes the requests that it has taken, and then returns
// nil. It runs once, on a log that is open.
func (l *Log) Run(ctx context.Context) error {
	if l.writer == nil {
		return errNotOpen
	}
	defer close(l.stopped)
	w := l.writer
	defer func() { w.completeErasures(errStopped) }()
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
		timer.Reset(w.wait())
	}
}

// batch returns the first request and those that come as long as each turn of the other goroutines brings some, at most maxBatch. The
// callers of the last batch have their responses to write, and often another request: a transaction for each of a few of them would cost
// more than they wait here.
func (w *writer) batch(first *request) []*request {
	batch := append(make([]*request, 0, 16), first)
	for before := 0; before < len(batch) && len(batch) < maxBatch; {
		before = len(batch)
		runtime.Gosched()
		batch = w.collect(batch)
	}
	return batch
}

// collect appends the requests that wait to a batch, up to maxBatch.
func (w *writer) collect(batch []*request) []*request {
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

// commit runs the requests in one transaction and completes them, except erasures, which wait for a purge.
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

// write runs a transaction. With probe it writes even if nothing changes. After an error nothing of it is stored. SQLite does not count frames of the
// write-ahead log as written when their fsync failed, and the next transaction writes the same part of the file again
// (sqlite3WalFrames, wal.c): nothing depends on pages that the kernel has dropped. SQLite repeats a checkpoint whose fsync failed.
func (w *writer) write(batch []*request, probe bool) error {
	t := &tx{writer: w, now: w.log.now().UnixMilli(), sites: map[string]*site{}, probe: probe}
	err := w.log.writable()
	if err == nil {
		err = t.run(batch)
	}
	if err != nil {
		return w.log.writeFailed(err)
	}
	if len(t.sites) > 0 {
		w.tx++
		w.log.saveCommitNumber(w.tx)
	}
	if len(t.sites) > 0 || probe {
		w.log.committed(t.sites)
	}
	for _, s := range t.sites {
		w.due = min(w.due, s.due(w.log.opts.Limits))
	}
	return nil
}

// wait returns how long the writer may wait for requests: until the next tick, and a second at most, in case the clock was set.
func (w *writer) wait() time.Duration {
	wait := time.Duration(w.due-w.log.now().UnixMilli()) * time.Millisecond
	if w.due == never {
		wait = time.Hour
	}
	wait = min(max(wait, tickInterval-time.Since(w.ticked)), probeInterval)
	if w.log.Healthy() != nil {
		wait = max(probeInterval-time.Since(w.ticked), 0)
	}
	if len(w.erasing) > 0 {
		wait = min(wait, truncateInterval)
	}
	return wait
}

// tick applies retention where it is due. While the log is not healthy, it also probes whether the log can be written.
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

// finishErasures purges the erased bytes and completes the erasures that wait for it. A reader in another process delays that.
func (w *writer) finishErasures() {
	if time.Since(w.purgeFailedAt) < truncateInterval {
		return
	}
	err := w.purge()
	if err == nil {
		w.completeErasures(nil)
		return
	}
	w.purgeFailedAt = time.Now()
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

// completeErasures ends the waiting erasures with an error or nil.
func (w *writer) completeErasures(err error) {
	for _, r := range w.erasing {
		r.done <- err
	}
	w.erasing = nil
}

var errBusy = errors.New("another process is reading the database; end what keeps it open")

// truncate moves everything to the database file and empties the write-ahead log. It waits for readers for 50 ms at most, because appends wait
// meanwhile. The error is errBusy when a reader needs the write-ahead log.
func (w *writer) truncate() error {
	if err := w.conn.exec("PRAGMA busy_timeout = 50"); err != nil {
		return err
	}
	busy, err := w.conn.value("PRAGMA wal_checkpoint(TRUNCATE)")
	if err == nil && busy != 0 {
		err = errBusy
	}
	if err == nil {
		w.purgeFailedAt = time.Time{}
	}
	return errors.Join(err, w.conn.exec("PRAGMA busy_timeout = 5000"))
}
