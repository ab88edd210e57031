// Package stream is the domain of proofstream: events, their ids, the frames they become on the
// wire, and the contract of the [Log] that stores them.
//
// A signup that a backend posts is appended to its site's event log, durably, before anyone hears
// of it. Package registry hands it to every subscriber of the site, each of which has a buffered
// channel of its own. Package signup says what a signup may contain. Packages sqlitelog and natslog
// implement Log; package logtest holds them to it.
//
// The package knows neither HTTP nor a storage engine, and writes no log lines.
package stream
