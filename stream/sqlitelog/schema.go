package sqlitelog

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

const (
	// applicationID identifies databases of this program, in the header of the file: "prof".
	applicationID = 0x70726f66
	// schemaVersion is the user_version in the header of the file.
	schemaVersion = 1
)

// schema are the statements that make a new database, exactly as sqlite_schema has them. All rows are on leaf pages of tables, each with a sum
// over its content, so that each can be checked by itself.
//
// The id of an event combines its site and its sequence in one integer: then the table is in the order in which it is read. A key has the
// id of its event.
var schema = []string{
	`CREATE TABLE meta (id INTEGER PRIMARY KEY, instance TEXT NOT NULL, open INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT`,
	`CREATE TABLE sites (id INTEGER PRIMARY KEY, name TEXT NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL, events INTEGER NOT NULL, signups INTEGER NOT NULL, epochs TEXT NOT NULL, tx INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT`,
	`CREATE TABLE site_copies (id INTEGER PRIMARY KEY, name TEXT NOT NULL, epochs TEXT NOT NULL, sum INTEGER NOT NULL) STRICT`,
	`CREATE TABLE events (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL, sum INTEGER NOT NULL) STRICT`,
	`CREATE TABLE keys (id INTEGER PRIMARY KEY, hash BLOB NOT NULL, at INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT`,
	`CREATE INDEX keys_hash ON keys (hash)`,
}

const (
	// seqBits is how many bits of a row id are the sequence. The others are the number of the site.
	seqBits = 40
	// maxSeq is the greatest sequence of a site.
	maxSeq = 1<<seqBits - 1
	// maxSite is the greatest number of a site.
	maxSite = 1<<22 - 1
)

func rowID(site int64, seq uint64) int64 { return site<<seqBits | int64(min(seq, maxSeq)) }
func siteOf(id int64) int64              { return id >> seqBits }
func seqOf(id int64) uint64              { return uint64(id) & maxSeq }

// metaRow is the only row of meta, with id 1.
type metaRow struct {
	instance string // random name of the database, which copies of it have, too
	open     int64  // 1 while a process has it open, 0 after Close and in a backup
}

func (r metaRow) sum() int64 { return newSum("meta").text(r.instance).int(r.open).value() }

// readMeta returns the only row of meta. The error wraps errCorrupt when the row does not fit its sum.
func readMeta(c *conn) (m metaRow, err error) {
	var sum int64
	err = c.query("SELECT instance, open, sum FROM meta WHERE id = 1", func(r []driver.Value) error {
		return scan(r, &m.instance, &m.open, &sum)
	})
	if err == nil && sum != m.sum() {
		err = fmt.Errorf("%w: the record of the database does not fit its sum, or is missing", errCorrupt)
	}
	return m, err
}

func writeMeta(c *conn, m metaRow) error {
	return c.exec("UPDATE meta SET instance = ?, open = ?, sum = ? WHERE id = 1", m.instance, m.open, m.sum())
}

// siteRow is a row of sites.
type siteRow struct {
	id              int64
	name            string
	low, high       uint64
	events, signups int64  // kept rows
	epochs          string // JSON of stream.Epochs
	tx              int64  // number of the write transaction that wrote this row last; each takes the next
}

// sum returns the sum of a row of sites.
func (r *siteRow) sum() int64 {
	return newSum("sites").int(r.id).text(r.name).int(int64(r.low)).int(int64(r.high)).
		int(r.events).int(r.signups).text(r.epochs).int(r.tx).value()
}

// copySum returns the sum of a row of site_copies. That table repeats, on another page, the columns of a site that do not follow from its
// events.
func copySum(id int64, name, epochs string) int64 {
	return newSum("site_copies").int(id).text(name).text(epochs).value()
}

// eventSum returns the sum of a row of events.
func eventSum(id, kind, at int64, data []byte) int64 {
	return newSum("events").int(id).int(kind).int(at).bytes(data).value()
}

// keySum returns the sum of a row of keys.
func keySum(id int64, hash []byte, at int64) int64 {
	return newSum("keys").int(id).bytes(hash).int(at).value()
}

// rowSum is a CRC-32C over the name of a table and the columns of a row, each with its length.
type rowSum uint32

func newSum(table string) rowSum { return rowSum(0).text(table) }

func (s rowSum) int(n int64) rowSum {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	return s.add(b[:])
}

func (s rowSum) bytes(b []byte) rowSum { return s.int(int64(len(b))).add(b) }
func (s rowSum) text(t string) rowSum  { return s.bytes([]byte(t)) }
func (s rowSum) value() int64          { return int64(s) }

func (s rowSum) add(b []byte) rowSum {
	return rowSum(crc32.Update(uint32(s), crc32.MakeTable(crc32.Castagnoli), b))
}
