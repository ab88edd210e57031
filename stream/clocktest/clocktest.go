// Package clocktest shifts the wall clock of times in tests. Only tests import it.
package clocktest

import (
	"testing"
	"time"
	"unsafe"
)

// SetBack returns what time.Now would return at the moment now if the wall clock had been set back by whole seconds before,
// or forward by a negative number of them. The monotonic reading stays: package time keeps the seconds of the wall clock from bit
// 30 of a Time's first word on, beside it.
func SetBack(t testing.TB, now time.Time, by time.Duration) time.Time {
	t.Helper()
	before := now
	*(*uint64)(unsafe.Pointer(&now)) -= uint64(by/time.Second) << 30
	if wall, passed := before.Round(0).Sub(now.Round(0)), now.Sub(before); wall != by || passed != 0 {
		t.Fatalf("the wall clock was set back by %v, and %v passed: package time keeps its times in another way", wall, passed)
	}
	return now
}
