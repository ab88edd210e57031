package natslog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Run keeps the log well until ctx ends or it is closed: an embedded one that could not store (a full disk, a failed
// fsync) is restarted in this process once it can, and what it knows of itself is recorded; of one
// elsewhere the epochs are read again, and whether it can store. Without Run a log that failed once stays unavailable.
func (l *Log) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for well := true; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if errors.Is(l.state.why(), errClosed) {
			return nil
		}
		well = l.tell(well)
		_ = l.tend(ctx, !well)
		well = l.tell(well)
	}
}

// tell tells the operator when the log stores again or no longer, and returns whether it does.
func (l *Log) tell(before bool) (well bool) {
	trouble := l.state.why()
	switch well = trouble == nil; {
	case well && !before:
		l.opts.Logger.Info("log stores again", "epoch", l.newest())
	case before && !well && !errors.Is(trouble, errClosed):
		l.opts.Logger.Error("log does not store", "err", trouble)
	}
	return well
}

// tend does what is to be done each second; its error is why that did not help, which the state tells, too.
func (l *Log) tend(ctx context.Context, trouble bool) error {
	switch {
	case !l.opts.embedded():
		return l.refresh(ctx)
	case trouble:
		return l.repair(ctx)
	}
	l.keep.Lock()
	defer l.keep.Unlock()
	return l.note(ctx, 0, false)
}

// repair restarts the embedded server if files can be written again: one whose disk was full does
// not recover otherwise.
func (l *Log) repair(ctx context.Context) error {
	l.keep.Lock()
	defer l.keep.Unlock()
	if err := l.state.why(); errors.Is(err, errClosed) {
		return err
	}
	if err := probe(l.opts.Dir, repairRoom); err != nil {
		l.state.explain(err)
		return err
	}
	l.node.stop()
	err := l.settle(true)
	if err == nil {
		err = l.node.start()
	}
	if err == nil {
		err = l.reconnected(ctx)
	}
	if err == nil {
		err = l.openOwn(ctx)
	}
	if err != nil {
		err = fmt.Errorf("restart the embedded server: %w", err)
		l.state.explain(err)
		return err
	}
	l.state.mend()
	return nil
}

// repairRoom is how much must be free before a server that ran out of disk is started again.
const repairRoom = 1 << 20

// reconnected waits until the connection has found the server that runs now. A question that went
// to the former one is never answered, so each is given little time.
func (l *Log) reconnected(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*readPatience)
	defer cancel()
	for {
		try, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		_, err := l.js.AccountInfo(try)
		cancel()
		if err == nil || !pause(ctx, 20*time.Millisecond) {
			return err
		}
	}
}
