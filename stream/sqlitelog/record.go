package sqlitelog

import (
	"fmt"
	"io"
	"os"
)

// commits is what the file proofstream.lock records: the number of the last commit of a database. It is
// written after each commit, and not synced: it outlives the process, and after a power cut it may be older than the
// database. A database with fewer commits has lost its newest ones.
type commits struct {
	schema   int
	instance string
	tx       int64
}

const recordFormat = "proofstream schema %d database %s commit %019d\n"

// record writes the number of the last commit. An error is no reason to stop: then a loss may go unnoticed.
func (l *Log) record(tx int64) {
	l.lock.WriteAt(fmt.Appendf(nil, recordFormat, schemaVersion, l.instance, tx), 0)
}

// readRecord returns the record in the file, and nil when there is none.
func readRecord(f *os.File) *commits {
	var c commits
	_, err := fmt.Fscanf(io.NewSectionReader(f, 0, 200), recordFormat, &c.schema, &c.instance, &c.tx)
	if err != nil {
		return nil
	}
	return &c
}
