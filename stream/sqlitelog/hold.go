package sqlitelog

import (
	"context"
	"errors"
	"fmt"
)

// Hold takes the directory of a log as Open does, also its waiting for another process, and opens nothing: until
// release is called no process runs a log there. It is for readers whose log must not go on meanwhile.
func Hold(ctx context.Context, o Options) (release func() error, err error) {
	l := New(o)
	if err := l.takeDir(ctx); err != nil {
		return nil, fmt.Errorf("hold event log in %s: %w", o.Dir, errors.Join(err, l.release()))
	}
	return l.lock.Close, nil
}
