// Package stream is the domain of proofstream: events, their ids, the frames that carry them to browsers, and the contract of the [Log] that
// stores them.
//
// A signup that a backend posts is appended to its site's event log, durably, before any subscriber gets it. Package registry then hands it
// to every subscriber of the site, each of which has a buffered channel of its own. Package signup defines what a signup may contain.
// Packages sqlitelog and natslog implement Log, and package logtest tests them against it.
//
// The package knows neither HTTP nor a storage engine, and writes no log lines.
package stream
