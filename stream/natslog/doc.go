// Package natslog keeps the [stream.Log] in a NATS JetStream cluster.
//
// Use [New] to make a log, [Log.Open] to open it, [Log.Run] to watch its health, [Log.Close] to close
// it, and [Log.Migrate] to copy an embedded log into it.
//
// Every site has a JetStream stream of its own, PREFIX-SITE, created at the site's first use. The stream's sequence is
// the site's sequence, its first sequence the low watermark, its metadata holds the epochs. An
// event is one message on PREFIX.SITE.KIND.KEY: KIND is signup or retract, KEY is a hash of the entry's key or "-". The payload
// is the entry's data byte for byte, and the message's time the event's.
//
// Limits of JetStream that this package cannot remove: a message is acknowledged before the servers sync it
// to disk (their sync_interval); the key of an erased event is forgotten when the server
// that leads its stream restarts; erasing the oldest kept event moves the low watermark past it; with several replicas an
// erased event's bytes stay in the servers' Raft logs until those are compacted.
package natslog
