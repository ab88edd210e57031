package main

import "time"

// processStart is clock time zero. It never changes.
var processStart = time.Now()

// clock returns monotonic nanoseconds since the program started.
func clock() int64 { return int64(time.Since(processStart)) }

// seconds returns the length of an interval of clock times, and 0 for a negative one.
func seconds(from, to int64) float64 { return float64(max(0, to-from)) / 1e9 }
