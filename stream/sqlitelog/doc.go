// Package sqlitelog implements stream.Log on SQLite, embedded in the process: one file, proofstream.db, in a
// directory of its own, which one process at a time holds.
//
// To run a log, use [New], [Log.Open], [Log.Run] and, when Run has returned, [Log.Close]. To copy one that
// another process may be running, use [Backup]; to read it, [OpenReader].
//
// One goroutine writes. It takes every entry that waits and stores all of them in one transaction, so
// that they share one fsync (group commit); an append returns after it. Readers have connections
// of their own and see the state after some commit, rows and bounds together.
//
// Each row has a sum over its content. A row that does not fit its sum is never returned. What is
// found wrong at the start is salvaged into a new database, and the old one is kept aside.
package sqlitelog
