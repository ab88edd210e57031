// Package natslog keeps the [stream.Log] in NATS JetStream: embedded in this process, with its files
// in a directory and no open port, or in a cluster elsewhere. Both go the same way; they differ in
// where the connection leads.
//
// Use [Open] to open a log, [Log.Run] to keep it well, [Log.Close] to close it.
//
// Every event is one message. The subject PREFIX.SITE.signup or PREFIX.SITE.retract names its site
// and kind, the stream's sequence is the event's, the message's time the event's, and the payload is
// the draft's data byte for byte. The epochs of the log are kept in the stream's metadata.
package natslog
