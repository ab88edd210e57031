//go:build race

package main

// raced tells that the tests, and the program they start, run under the race detector.
const raced = true
