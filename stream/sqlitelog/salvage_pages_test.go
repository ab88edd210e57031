package sqlitelog

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// scavenged returns the rows that pages finds and that have as many columns as the test's table, by id.
func scavenged(file, wal []byte, all bool) map[int64][]driver.Value {
	rows := make(map[int64][]driver.Value)
	p := newImage(section(file), section(wal), all)
	for r := range p.rows(p.numbers()) {
		if len(r.columns) == 4 && rows[r.id] == nil {
			rows[r.id] = append([]driver.Value(nil), r.columns...)
			for i, c := range rows[r.id] {
				if b, ok := c.([]byte); ok {
					rows[r.id][i] = bytes.Clone(b)
				}
			}
		}
	}
	return rows
}

func section(b []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

// sample writes a database with rows of every size and type, of which the last 100 and some deletions
// are only in the WAL, and returns both files and what SQLite reads from them.
func sample(t testing.TB) (file, wal []byte, want map[int64][]driver.Value) {
	path := filepath.Join(scratch(t), "sample.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(wal)&_pragma=page_size(4096)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	exec := func(query string, args ...any) {
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	exec("CREATE TABLE rows(id INTEGER PRIMARY KEY, n INTEGER, text TEXT, data BLOB)")
	want = make(map[int64][]driver.Value)
	for i := range int64(400) {
		if i == 300 {
			exec("PRAGMA wal_checkpoint(TRUNCATE)")
		}
		id, n := rowid(i), int64(1)<<(i%63)-i
		text, data := fmt.Sprint("text ", i), bytes.Repeat([]byte{byte(i)}, int(i*i)%9000)
		exec("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", id, n, text, data)
		want[id] = []driver.Value{nil, n, text, data}
	}
	for _, id := range []int64{rowid(0), rowid(1), rowid(350)} {
		exec("DELETE FROM rows WHERE id = ?", id)
		delete(want, id)
	}
	return readFile(t, path), readFile(t, path+"-wal"), want
}

// rowid returns the id of the sample's row i, small or large.
func rowid(i int64) int64 { return 1000<<(i%8*6) + i }

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Would catch a mistake in our reading of SQLite's format: integers, overflow pages, page 1, the WAL.
func TestPagesAreReadAsSQLiteReadsThem(t *testing.T) {
	file, wal, want := sample(t)
	if got := scavenged(file, wal, false); !reflect.DeepEqual(got, want) {
		t.Errorf("found %d rows; want the %d that SQLite has", len(got), len(want))
	}
	if got := scavenged(file, nil, false); len(got) >= len(want) {
		t.Errorf("found %d rows without the WAL; want fewer: the test needs a WAL that matters", len(got))
	}
}

// Would catch frames that SQLite would not use: of an earlier run, or of a transaction without a commit.
func TestOnlyCommittedFramesCount(t *testing.T) {
	file, wal, want := sample(t)
	const size = frameHeadSize + pageSize
	last := len(wal) - size
	foreign := append(bytes.Clone(wal), wal[last:]...)
	foreign[len(wal)+8] ^= 1 // the salt
	if got := scavenged(file, foreign, true); !reflect.DeepEqual(got, want) {
		t.Errorf("a frame of an earlier run: found %d rows; want %d", len(got), len(want))
	}
	if got := scavenged(file, wal[:last], false); reflect.DeepEqual(got, want) {
		t.Error("the transaction whose commit is cut off counts; want it left out")
	}
}

// Would catch that a fault in the WAL costs what the frames after it hold.
func TestFramesAfterADamagedOneCanBeRead(t *testing.T) {
	file, wal, want := sample(t)
	for _, at := range []int{0, 17, 26, walHeaderSize + 2, walHeaderSize + 10, walHeaderSize + 18, walHeaderSize + 1000} {
		damaged := bytes.Clone(wal)
		damaged[at] ^= 4
		got, missing := scavenged(file, damaged, true), 0
		for id, columns := range want {
			if !reflect.DeepEqual(got[id], columns) {
				missing++
			}
		}
		if missing > 0 {
			t.Errorf("bit flipped at %d of the WAL: %d rows missing; want none, the frame was written again", at, missing)
		}
	}
}

// Would catch a panic, or an endless list of overflow pages, on any garbage.
func FuzzPages(f *testing.F) {
	file, wal, _ := sample(f)
	f.Add(file[:8*pageSize], wal[:walHeaderSize+3*(frameHeadSize+pageSize)])
	loop := make([]byte, 2*pageSize) // a row whose overflow page continues in itself
	copy(loop[pageSize:], []byte{leafPage, 0, 0, 0, 1, 0, 0, 0, 0x01, 0x00})
	copy(loop[pageSize+0x100:], []byte{0xbf, 0xff, 0x7f, 1})
	f.Add(loop, []byte(nil))
	f.Fuzz(func(t *testing.T, file, wal []byte) {
		p := newImage(section(file), section(wal), true)
		for r := range p.rows(p.numbers()) {
			if len(r.columns) > maxColumns {
				t.Errorf("%d columns; want at most %d", len(r.columns), maxColumns)
			}
		}
	})
}
