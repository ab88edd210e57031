package sqlitelog

import (
	"database/sql/driver"
	"encoding/binary"
)

// scrub zeros the unallocated space of every page. The setting secure_delete zeros a row that is deleted, but
// when SQLite moves rows between pages to balance a tree, it leaves copies in the unallocated space of the
// pages that it rebuilds (rebuildPage, btree.c). An erased row may have such copies anywhere.
func (t *tx) scrub() error {
	type change struct {
		page int64
		data []byte
	}
	var changes []change
	err := t.conn.query("SELECT pgno, data FROM sqlite_dbpage", func(r []driver.Value) error {
		var c change
		if err := scan(r, &c.page, &c.data); err != nil {
			return err
		}
		if clearGap(c.page, c.data) {
			changes = append(changes, c)
		}
		return nil
	})
	for _, c := range changes {
		if err == nil {
			err = t.conn.exec("UPDATE sqlite_dbpage SET data = ? WHERE pgno = ?", c.data, c.page)
		}
	}
	return err
}

// clearGap zeros what is between the cell pointers and the cells of a b-tree page, and says whether there
// was something (sqlite.org/fileformat2.html, section 1.6). Pages of other kinds begin with a zero.
func clearGap(number int64, page []byte) bool {
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
