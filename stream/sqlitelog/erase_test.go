package sqlitelog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"proofstream/stream"
)

// TestErasedBytesAreGone searches for the bytes of erased events in every file. Events of several sizes and sites make
// SQLite move rows between pages, which must leave no copies. Lesser ways to delete a row have to be found out: if
// they are not, the search proves nothing.
func TestErasedBytesAreGone(t *testing.T) {
	deletion := func(pragmas ...string) func(*Log, string, uint64) error {
		return func(l *Log, site string, seq uint64) error {
			err := l.submit(t.Context(), func(t *tx) error {
				for _, sql := range pragmas {
					if err := t.conn.exec(sql); err != nil {
						return err
					}
				}
				err := t.erase(site, seq)
				t.request.purge = false
				return err
			})
			if err != nil {
				return err
			}
			c, err := openConn(l.path, writing)
			if err != nil {
				return err
			}
			return errors.Join(c.exec("PRAGMA wal_checkpoint(TRUNCATE)"), c.close())
		}
	}
	for _, tt := range []struct {
		name   string
		erase  func(l *Log, site string, seq uint64) error
		rounds int
		found  bool
	}{
		{"erasure", func(l *Log, site string, seq uint64) error { return l.Erase(t.Context(), site, seq) }, 400, false},
		{"deletion with zeros", deletion(), 5000, true},
		{"deletion", deletion("PRAGMA secure_delete = OFF"), 5000, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if found := eraseSome(t, tt.erase, tt.rounds); (found != "") != tt.found {
				t.Errorf("found after %s: %q", tt.name, found)
			}
		})
	}
}

// eraseSome erases some of many events, and returns what it then finds of one.
func eraseSome(t *testing.T, erase func(l *Log, site string, seq uint64) error, rounds int) (found string) {
	dir := scratch(t)
	l := run(t, Options{Dir: dir, Limits: stream.Limits{Events: 100}})
	r := rand.New(rand.NewPCG(1, 2))
	type stored struct {
		site, secret, key string
		seq               uint64
	}
	var all []stored
	for i := range rounds {
		e := stored{site: fmt.Sprint("s", r.IntN(20)), secret: fmt.Sprintf("secret-%06d-", i), key: fmt.Sprintf("key-%06d", i)}
		size := 300
		if r.IntN(5) == 0 {
			size = stream.MaxData - 100
		}
		text := fmt.Sprintf(`{"a":"%s","b":"%s","c":"%[1]s"}`, e.secret, strings.Repeat("x", r.IntN(size)))
		e.seq = mustAppend(t, l, e.site, text, e.key).Seq
		all = append(all, e)
		if i%2 > 0 {
			continue
		}
		gone := all[max(0, len(all)-1-r.IntN(200))]
		if err := erase(l.Log, gone.site, gone.seq); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{gone.secret, gone.key} {
			if files := holding(t, dir, text); len(files) > 0 {
				return fmt.Sprintf("%q in %v after erasure %d", text, files, i)
			}
		}
	}
	return ""
}
