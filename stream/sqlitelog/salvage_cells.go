package sqlitelog

import (
	"database/sql/driver"
	"encoding/binary"
	"iter"
	"math"
)

const (
	// maxRow is the size in bytes that no row of this package exceeds. Garbage with a greater size is skipped.
	maxRow = 1 << 20
	// maxColumns is how many columns a row of this package has at most.
	maxColumns = 32
	// maxSpilling is how many rows of one page can have overflow pages.
	maxSpilling = pageSize / minLocal
	// leafPage is the type of a page that holds rows (sqlite.org/fileformat2.html, section 1.6).
	leafPage = 0x0d
)

const (
	// maxLocal is the size of the largest row without overflow pages (sqlite.org/fileformat2.html, section 1.6).
	maxLocal = pageSize - 35
	// minLocal is how many bytes of a row with overflow pages are in its own page at least.
	minLocal = (pageSize-12)*32/255 - 23
)

// row is a record of a page. Its columns are nil, int64, float64, string or []byte. The INTEGER PRIMARY KEY is nil. The columns are valid until
// the next row.
type row struct {
	page    uint32
	id      int64
	columns []driver.Value
}

// rows yields all that can be decoded as a row in the leaf pages among the given ones. It may be damaged, repeated, or of another table. A
// page of garbage costs at most maxSpilling lists of maxRow bytes.
func (p *image) rows(numbers []uint32) iter.Seq[row] {
	return func(yield func(row) bool) {
		page := make([]byte, pageSize)
		for _, n := range numbers {
			if p.read(n, page); !p.leaf(n, page, yield) {
				return
			}
		}
	}
}

// leaf yields the rows of one page.
func (p *image) leaf(n uint32, page []byte, yield func(row) bool) bool {
	head := 0
	if n == 1 {
		head = 100 // of the file
	}
	if page[head] != leafPage {
		return true
	}
	pointers := page[head+8:]
	count := min(int(binary.BigEndian.Uint16(page[head+3:])), len(pointers)/2)
	columns, spilling := make([]driver.Value, 0, maxColumns), 0
	for i := range count {
		at := int(binary.BigEndian.Uint16(pointers[2*i:]))
		if at < head+8 || at >= pageSize {
			continue
		}
		size, a := uvarint(page[at:])
		id, b := uvarint(page[at+a:])
		if a == 0 || b == 0 || size > maxRow {
			continue
		}
		payload := page[at+a+b:]
		if size > maxLocal {
			if spilling++; spilling > maxSpilling {
				continue
			}
			payload = p.spilled(payload, int(size))
		}
		if len(payload) < int(size) {
			continue
		}
		if columns, ok := record(payload[:size], columns); ok && !yield(row{n, int64(id), columns}) {
			return false
		}
	}
	return true
}

// spilled returns the payload of a row with overflow pages. local starts with the part in the row's own page. The list of overflow pages ends
// with page 0, which a missing page names, too.
func (p *image) spilled(local []byte, size int) []byte {
	keep := minLocal + (size-minLocal)%(pageSize-4)
	if keep > maxLocal {
		keep = minLocal
	}
	if len(local) < keep+4 {
		return nil
	}
	payload := append(make([]byte, 0, size+pageSize), local[:keep]...)
	next, page := binary.BigEndian.Uint32(local[keep:]), make([]byte, pageSize)
	for len(payload) < size && next > 0 {
		p.read(next, page)
		payload = append(payload, page[4:]...)
		next = binary.BigEndian.Uint32(page)
	}
	return payload
}

// record decodes a row's payload into columns, which it overwrites.
func record(payload []byte, columns []driver.Value) ([]driver.Value, bool) {
	size, n := uvarint(payload)
	if n == 0 || size < uint64(n) || size > uint64(len(payload)) {
		return nil, false
	}
	types, body := payload[n:size], payload[size:]
	for columns = columns[:0]; len(types) > 0; {
		kind, n := uvarint(types)
		if n == 0 || len(columns) == maxColumns {
			return nil, false
		}
		size, ok := columnSize(kind)
		if !ok || size > len(body) {
			return nil, false
		}
		columns = append(columns, column(kind, body[:size:size]))
		types, body = types[n:], body[size:]
	}
	return columns, len(body) == 0
}

// columnSize returns the bytes that a value of the serial type takes.
func columnSize(kind uint64) (int, bool) {
	switch {
	case kind >= 12:
		return int(min((kind-12)/2, maxRow)), true
	case kind >= 10:
		return 0, false // reserved
	}
	return [...]int{0, 1, 2, 3, 4, 6, 8, 8, 0, 0}[kind], true
}

// column decodes a value of the serial type.
func column(kind uint64, value []byte) driver.Value {
	switch {
	case kind >= 12 && kind%2 == 0:
		return value
	case kind >= 12:
		return string(value)
	case kind == 0:
		return nil
	case kind >= 8:
		return int64(kind - 8)
	}
	n := int64(int8(value[0]))
	for _, b := range value[1:] {
		n = n<<8 | int64(b)
	}
	if kind == 7 {
		return math.Float64frombits(uint64(n))
	}
	return n
}

// uvarint decodes SQLite's integer of variable length, and returns its length in bytes, at most 9; 0 when b ends before the integer.
func uvarint(b []byte) (value uint64, n int) {
	for i := range min(len(b), 9) {
		if i == 8 {
			return value<<8 | uint64(b[i]), 9
		}
		value = value<<7 | uint64(b[i]&0x7f)
		if b[i] < 0x80 {
			return value, i + 1
		}
	}
	return 0, 0
}
