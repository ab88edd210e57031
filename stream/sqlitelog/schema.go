package sqlitelog

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// What marks a file as ours, in its header.
const (
	applicationID = 0x70726f66 // "prof"
	schemaVersion = 1
)

// schema is what a new database is made of, as sqlite_schema repeats it. Rows live on the leaves of
// tables only, each with a sum over its content, so that they can be told from damage one by one.
//
// The id of an event is that of its site and its sequence in one integer, so that the table itself is
// in the order in which everything reads it. A key has the id of its event.
var schema = []string{
	`CREATE TABLE meta (id INTEGER PRIMARY KEY, instance TEXT NOT NULL, open INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT`,
	`CREATE TABLE sites (id INTEGER PRIMARY KEY, name TEXT NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL, events INTEGER NOT NULL, signups INTEGER NOT NULL, epochs TEXT NOT NULL, tx INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT`,
	`CREATE TABLE site_copies (id INTEGER PRIMARY KEY, name TEXT NOT NULL, epochs TEXT NOT NULL, sum INTEGER NOT NULL) STRICT`,
	`CREATE TABLE events (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL, sum INTEGER NOT NULL) STRICT`,
	`CREATE TABLE keys (id INTEGER PRIMARY KEY, hash BLOB NOT NULL, at INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT`,
	`CREATE INDEX keys_hash ON keys (hash)`,
}

// An id is a site's number and a sequence.
const (
	seqBits = 40
	maxSeq  = 1<<seqBits - 1
	maxSite = 1<<22 - 1
)

func rowID(site int64, seq uint64) int64 { return site<<seqBits | int64(min(seq, maxSeq)) }
func siteOf(id int64) int64              { return id >> seqBits }
func seqOf(id int64) uint64              { return uint64(id) & maxSeq }

// metaRow is the only row of meta, with id 1.
type metaRow struct {
	instance string // names the database over its whole life, and copies of it
	open     int64  // 1 while a process has it open, 0 after Close and in a backup
}

func (r metaRow) sum() int64 { return newSum("meta").text(r.instance).int(r.open).value() }

// readMeta returns the only row of meta, if it fits its sum.
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

func (r *siteRow) sum() int64 {
	return newSum("sites").int(r.id).text(r.name).int(int64(r.low)).int(int64(r.high)).
		int(r.events).int(r.signups).text(r.epochs).int(r.tx).value()
}

// copySum is that of a row of site_copies, which holds on another page what the events cannot tell when the
// row of their site is damaged.
func copySum(id int64, name, epochs string) int64 {
	return newSum("site_copies").int(id).text(name).text(epochs).value()
}

func eventSum(id, kind, at int64, data []byte) int64 {
	return newSum("events").int(id).int(kind).int(at).bytes(data).value()
}

func keySum(id int64, hash []byte, at int64) int64 {
	return newSum("keys").int(id).bytes(hash).int(at).value()
}

// HashKey returns what the log stores of an idempotency key: 16 bytes of its SHA-256. A key may hold what an
// erasure must remove.
func HashKey(key string) []byte {
	hash := sha256.Sum256([]byte(key))
	return hash[:16]
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
