// Package sqlitelog implements stream.Log on SQLite, embedded in the process: one file, proofstream.db, in a
// directory of its own, which one process at a time holds.
//
// To run a log, use [New], [Log.Open], [Log.Run] and, when Run has returned, [Log.Close]. To copy one that
// another process may be running, use [Backup]; to read it, [OpenReader].
//
// One goroutine writes. It stores all entries that wait in one transaction, so that they share one fsync (group commit). An append returns
// after that. Readers have connections of their own. They see rows and bounds after the same commit.
//
// Each row has a sum over its content. A row that does not fit its sum is never returned. When the checks at the start find damage, the
// intact rows are salvaged into a new database, and the damaged one is kept under another name.
package sqlitelog
