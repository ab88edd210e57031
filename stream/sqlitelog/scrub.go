package sqlitelog

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"io"
)

// purge removes the bytes of erased events from the files. With secure_delete SQLite overwrites a deleted row with zeros. But the write-ahead log
// has older versions of the row's page. And when SQLite moves rows between pages to balance a tree, it leaves copies in the unallocated
// space of the pages that it rebuilds (rebuildPage, btree.c), anywhere in the database. After a truncating checkpoint the file has
// all pages, and only this goroutine changes it.
func (w *writer) purge() error {
	if err := w.truncate(); err != nil {
		return err
	}
	dirty, err := dirtyPages(w.file)
	if err == nil && len(dirty) > 0 {
		scrub := func(t *tx) error { return t.scrub(dirty) }
		if err = w.write([]*request{{ctx: context.Background(), do: scrub}}, false); err == nil {
			err = w.truncate()
		}
	}
	if err == nil {
		w.unclean = false
	}
	return err
}

// dirtyPages returns the numbers of the pages whose unallocated space is not zero. It reads the file itself, because reading a million events
// through SQLite's sqlite_dbpage takes half a second.
func dirtyPages(file io.ReaderAt) (numbers []int64, err error) {
	chunk := make([]byte, 64*pageSize)
	for number := int64(0); ; {
		n, err := file.ReadAt(chunk, number*pageSize)
		for page := chunk[:n]; len(page) >= pageSize; page = page[pageSize:] {
			number++
			if clearUnallocated(number, page[:pageSize]) {
				numbers = append(numbers, number)
			}
		}
		if err == io.EOF {
			return numbers, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// scrub overwrites the unallocated space of pages with zeros.
func (t *tx) scrub(numbers []int64) error {
	for _, n := range numbers {
		var page []byte
		err := t.conn.query("SELECT data FROM sqlite_dbpage WHERE pgno = ?", func(r []driver.Value) error { return scan(r, &page) }, n)
		if err == nil && clearUnallocated(n, page) {
			err = t.conn.exec("UPDATE sqlite_dbpage SET data = ? WHERE pgno = ?", page, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// clearUnallocated overwrites the space between the cell pointers and the cells of a b-tree page with zeros, and returns whether it was not zero
// before (sqlite.org/fileformat2.html, section 1.6). Pages of other kinds start with a zero.
func clearUnallocated(number int64, page []byte) bool {
	head := page
	if number == 1 {
		head = page[100:] // after the header of the file
	}
	size := 8
	switch head[0] {
	case 0x02, 0x05:
		size = 12
	case 0x0a, 0x0d:
	default:
		return false
	}
	from := len(page) - len(head) + size + 2*int(binary.BigEndian.Uint16(head[3:]))
	to := int(binary.BigEndian.Uint16(head[5:]))
	if to > len(page) || from >= to {
		return false
	}
	dirty := false
	for _, b := range page[from:to] {
		dirty = dirty || b != 0
	}
	clear(page[from:to])
	return dirty
}
