package sqlitelog

import (
	"fmt"
	"io"
	"os"
)

// commits is the record in the lock file: the number of the last commit of a database. It is written after each commit and not synced, so that
// it outlives the process, but may be older than the database after a power cut. A database with fewer commits has lost its newest ones.
type commits struct {
	schema   int    // schemaVersion of the program that wrote the record
	instance string // of the database
	tx       int64  // number of its last commit
}

// recordFormat is what the lock file says about the last commit. Its length is fixed, so that one write replaces it whole.
const recordFormat = "proofstream schema %d database %s commit %019d\n"

// saveCommitNumber writes the number of the last commit into the lock file. It ignores an error: without the record a later loss may go unnoticed, but nothing is lost.
func (l *Log) saveCommitNumber(tx int64) {
	l.lock.WriteAt(fmt.Appendf(nil, recordFormat, schemaVersion, l.instance, tx), 0)
}

// readRecord returns the record in the file, nil when there is none.
func readRecord(f *os.File) *commits {
	var c commits
	_, err := fmt.Fscanf(io.NewSectionReader(f, 0, 200), recordFormat, &c.schema, &c.instance, &c.tx)
	if err != nil {
		return nil
	}
	return &c
}
