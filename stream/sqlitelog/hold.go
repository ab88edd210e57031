package sqlitelog

import (
	"context"
	"errors"
	"fmt"
)

// Hold locks the directory of a log as Log.Open does, including the wait for another process, and opens nothing. Until release is called, no
// process can run a log there. It is for a Reader whose log must not change.
func Hold(ctx context.Context, o Options) (release func() error, err error) {
	l := New(o)
	if err := l.lockDir(ctx); err != nil {
		return nil, fmt.Errorf("hold event log in %s: %w", o.Dir, errors.Join(err, l.release()))
	}
	return l.lock.Close, nil
}
