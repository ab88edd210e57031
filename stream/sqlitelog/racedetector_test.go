//go:build race

package sqlitelog

// raceCost is how much less a test does under the race detector.
const raceCost = 12
