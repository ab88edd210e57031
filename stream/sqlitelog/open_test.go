package sqlitelog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/waitfor"
)

// TestSecondProcessWaits would catch a rolling update in which the second process gives up, or both write.
func TestSecondProcessWaits(t *testing.T) {
	dir := t.TempDir()
	first := run(t, Options{Dir: dir})
	id := mustAppend(t, first, "a", "{}", "k")

	begin := time.Now()
	err := New(Options{Dir: dir, Wait: 200 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}).Open(t.Context())
	if err == nil || !strings.Contains(err.Error(), "another process") || time.Since(begin) < 200*time.Millisecond {
		t.Errorf("open of a held directory: %v after %v; want an error that says why, after the wait", err, time.Since(begin))
	}
	ended, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := New(Options{Dir: dir, Wait: time.Minute, Logger: slog.New(slog.DiscardHandler)}).Open(ended); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("open whose context ended: %v", err)
	}

	var logged waitfor.Output
	second := New(Options{Dir: dir, Wait: 20 * time.Second, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	opened := make(chan error, 1)
	go func() { opened <- second.Open(t.Context()) }()
	waitfor.Fact(t, "the second says that it waits", func() bool { return strings.Contains(logged.String(), "held by another process") })
	first.stop()
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	if again, err := second.Find(t.Context(), "a", "k"); err != nil || again != id {
		t.Errorf("the second finds %v, %v; want %v", again, err, id)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

// otherDatabase returns a function that makes a database which is not a log's.
func otherDatabase(pragmas ...string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := openConn(path, writing)
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		for _, sql := range append(pragmas, "CREATE TABLE theirs (x)") {
			if err := c.exec(sql); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestNotOurs opens what is not a log: each error has to say what to do, and nothing may be changed.
func TestNotOurs(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		make       func(t *testing.T, path string)
	}{
		{"another application's database", "not a database of proofstream", otherDatabase("PRAGMA application_id = 7")},
		{"a database without an application", "not a database of proofstream", otherDatabase()},
		{"a newer schema", "newer version", otherDatabase(fmt.Sprint("PRAGMA application_id = ", applicationID), fmt.Sprint("PRAGMA user_version = ", schemaVersion+1))},
		{"a text file", "not a database of proofstream", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"a directory", "is a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, databaseFile)
			tt.make(t, path)
			before, _ := os.ReadFile(path)
			l := New(Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
			if err := l.Open(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("open: %v; want an error with %q", err, tt.want)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

// TestDirectoryIsAFile would catch an error that does not say what to do.
func TestDirectoryIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := New(Options{Dir: file})
	if err := l.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("open of a file: %v; want an error that says that it is not a directory", err)
	}
	if _, err := l.Bounds(t.Context(), "a"); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("bounds of a log that is not open: %v; want ErrUnavailable", err)
	}
}

// TestMethodsAfterRun would catch a caller that waits for a writer that has gone.
func TestMethodsAfterRun(t *testing.T) {
	l := run(t, Options{Dir: t.TempDir()})
	mustAppend(t, l, "a", "{}", "")
	follow := make(chan error, 1)
	go func() {
		for _, err := range l.Follow(context.Background(), "a", 1) {
			follow <- err
		}
	}()
	l.stop()
	if err := <-follow; !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("follow of a closed log ended with %v", err)
	}
	_, _, err := l.Append(t.Context(), "a", stream.Entry{Data: []byte("{}")})
	_, _, err2 := l.Read(t.Context(), "a", 0, 1)
	for _, err := range []error{err, err2, l.Erase(t.Context(), "a", 1), l.Healthy()} {
		if !errors.Is(err, stream.ErrUnavailable) {
			t.Errorf("after Close: %v; want ErrUnavailable", err)
		}
	}
}
