// Package natslog keeps the [stream.Log] in a NATS JetStream cluster.
//
// To run a log, use [New], [Log.Open], [Log.Run], which observes its health, and [Log.Close]. To copy an embedded log into the cluster
// use [Log.Migrate]. To count the open streams of all nodes use [Presence].
//
// Every site has a JetStream stream of its own, PREFIX-SITE, created at the site's first use. The stream's sequence is
// the site's sequence, its first sequence the low watermark, its metadata holds the epochs. An
// event is one message on the subject PREFIX.SITE.KIND.KEY: KIND is signup or retract, KEY is a hash of the entry's key or "-". The
// payload is the entry's data byte for byte, and the time of the message is that of the event.
//
// Limits of JetStream that this package cannot remove: a message is acknowledged before the servers sync it
// to disk (their sync_interval); the key of an erased event is forgotten when the server
// that leads its stream restarts; erasing the oldest kept event moves the low watermark past it; with several replicas an
// erased event's bytes stay in the servers' Raft logs until those are compacted.
package natslog
