// Package waitfor lets tests wait for facts instead of for time to pass: a condition that becomes true, or a line of
// an output.
package waitfor

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience is how long a test waits for a fact before it fails. It does not measure speed: two busy cores and the race
// detector make everything slow at times.
const Patience = 30 * time.Second

// Fact waits until fact returns true, and fails the test when that has not happened after Patience. The test says what it
// has waited for.
func Fact(t testing.TB, what string, fact func() bool) {
	t.Helper()
	Until(t, Patience, fact, func() string { return what })
}

// Until is Fact with a limit of its own. When the fact does not come, the test fails with what state returns then.
func Until(t testing.TB, limit time.Duration, fact func() bool, state func() string) {
	t.Helper()
	if !Within(limit, fact) {
		t.Fatalf("not within %v: %s", limit, state())
	}
}

// Within reports whether fact returns true within a time. It calls fact at once, and then every 1 to 10 ms.
func Within(limit time.Duration, fact func() bool) bool {
	delay := time.Millisecond
	for deadline := time.Now().Add(limit); !fact(); time.Sleep(delay) {
		if time.Now().After(deadline) {
			return false
		}
		delay = min(2*delay, 10*time.Millisecond)
	}
	return true
}

// Output keeps what goroutines or a process write to it, for a test that reads along. The zero value is ready to use.
type Output struct {
	mu    sync.Mutex // guards the fields below
	text  strings.Builder
	ended bool
}

// Write appends to the output. It never fails.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// String returns all that has been written.
func (o *Output) String() string {
	text, _ := o.read()
	return text
}

// End says that nothing more will be written: Line then waits no longer.
func (o *Output) End() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
}

// Ended reports whether End was called.
func (o *Output) Ended() bool {
	_, ended := o.read()
	return ended
}

// Line returns the first whole line that contains text, without white space around it. It waits for it until End, or up to
// limit; then ok is false.
func (o *Output) Line(text string, limit time.Duration) (line string, ok bool) {
	Within(limit, func() bool {
		written, ended := o.read()
		for line = range strings.Lines(written) {
			if strings.HasSuffix(line, "\n") && strings.Contains(line, text) {
				line, ok = strings.TrimSpace(line), true
				return true
			}
		}
		return ended
	})
	return line, ok
}

func (o *Output) read() (text string, ended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.ended
}
