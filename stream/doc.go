// Package stream is the domain of proofstream: what a signup may say, how events are ordered,
// and how every subscriber gets each of them once.
//
// A signup that a backend posts becomes an event in a durable, ordered [Log]. One reader per
// process follows the log and hands each event to the [Registry], in which every subscriber
// has a buffered channel of its own. The package knows neither HTTP nor the log's engine, and
// writes no log lines: it returns facts.
//
// To check a posted signup use [NewSignup]. To store or withdraw one use [Poster]. To subscribe
// use [Registry.Join] and call [Subscription.Next] until it ends.
package stream
