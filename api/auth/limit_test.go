package auth

import (
	"net/http"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// A million addresses do not fill the memory, and the one that is in use is not forgotten.
func TestMemoryOfWrongKeysIsBounded(t *testing.T) {
	var f Failures
	now := time.Now()
	stubborn := netip.MustParseAddr("192.0.2.1")
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	const addresses = 1_000_000
	for i := range addresses {
		b := [16]byte{0x20, 0x01, 0x0d, 0xb8, byte(i >> 16), byte(i >> 8), byte(i)}
		f.Wait(netip.AddrFrom16(b), now)
		if i%1000 == 0 {
			wait := f.Wait(stubborn, now)
			if tries := i/1000 + 1; (wait > 0) != (tries > FailuresPerMinute) {
				t.Fatalf("try %d of one address among many has to wait %v", tries, wait)
			}
		}
	}
	if n := len(f.young) + len(f.old); n > 2*maxLimiters {
		t.Errorf("%d addresses are remembered, want at most %d", n, 2*maxLimiters)
	}
	if grown := int64(heap()) - int64(before); grown > 32<<20 {
		t.Errorf("%d addresses cost %d MiB", addresses, grown>>20)
	}
	runtime.KeepAlive(&f)
}

func TestWrongKeysAreForgivenInTime(t *testing.T) {
	var f Failures
	now, from := time.Now(), netip.MustParseAddr("192.0.2.1")
	for range FailuresPerMinute {
		if f.Wait(from, now) != 0 {
			t.Fatal("limited too soon")
		}
	}
	wait := f.Wait(from, now)
	if wait <= 0 || wait > time.Minute {
		t.Fatalf("wait %v", wait)
	}
	if again := f.Wait(from, now.Add(wait)); again != 0 {
		t.Errorf("after that wait: wait %v more", again)
	}
	if after := f.Wait(from, now.Add(time.Hour)); after != 0 || len(f.old)+len(f.young) > 2 {
		t.Errorf("an hour later: wait %v, %d addresses remembered", after, len(f.old)+len(f.young))
	}
}

// An address whose streams have all ended uses no memory.
func TestAddressesWithoutStreamsAreForgotten(t *testing.T) {
	c := Connections{Max: 1}
	r := &http.Request{RemoteAddr: "192.0.2.7:999"}
	leave := c.Enter(r)
	if leave == nil || c.Enter(r) != nil {
		t.Fatal("one stream was refused, or two were let in; want one")
	}
	leave()
	if len(c.open) != 0 {
		t.Errorf("%d addresses are remembered, want none", len(c.open))
	}
}
