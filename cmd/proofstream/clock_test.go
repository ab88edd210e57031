package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// wallClock matches what drops the monotonic reading of a time: a duration between such times changes when the clock is set.
var wallClock = regexp.MustCompile(`\.(UnixNano|UnixMicro|UnixMilli|Unix|Round|Truncate|UTC|Local|In)\(`)

// Nothing under api and stream/registry reads the wall clock, except where a time is written for people. What these measure is shown by
// TestDeadlineIsRenewedAfterTheClockWasSetBack and TestReaderIsStalledByTheTimeThatHasPassed.
func TestDurationsAreMeasuredByTheMonotonicClock(t *testing.T) {
	allowed := []string{
		`b.WriteString("Date: " + time.Now().UTC()`, // a header
		`now.Sub(time.Unix(n, 0))`,                  // the age of a delivery, by its sender's clock
	}
	for _, dir := range []string{"../../api", "../../stream/registry"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "hooktest") {
				return err
			}
			text, err := os.ReadFile(path)
			for line := range strings.Lines(string(text)) {
				for _, a := range allowed {
					line = strings.ReplaceAll(line, a, "")
				}
				if wallClock.MatchString(line) {
					t.Errorf("%s: a time without its monotonic reading: %s", path, strings.TrimSpace(line))
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
