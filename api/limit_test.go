package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestWrongKeysAreLimitedPerAddress(t *testing.T) {
	f := newHarness(t, nil)
	try := func(headers ...string) answered { return f.ask(t, "POST", "/signup", "user_name=A", headers...) }
	for range 3 * wrongKeysPerMinute { // a missing key is no guess
		if got := try(); got.status != 401 {
			t.Fatalf("without a key: got %d, want 401", got.status)
		}
	}
	for i := range wrongKeysPerMinute {
		if got := try("X-API-Key: wrong"); got.status != 401 {
			t.Fatalf("wrong key %d: got %d, want 401", i+1, got.status)
		}
	}
	got := try("X-API-Key: wrong")
	for spare := 10; got.status == 401 && spare > 0; spare-- { // a slow machine has been forgiven some
		got = try("X-API-Key: wrong")
	}
	if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); got.status != 429 || err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("wrong key %d: got %d, Retry-After %q", wrongKeysPerMinute+1, got.status, got.header.Get("Retry-After"))
	}
	if got := f.ask(t, "DELETE", "/signup/a-1", "", "X-API-Key: wrong"); got.status != 429 {
		t.Errorf("a wrong key for a retraction: got %d, want 429", got.status)
	}
	if got := try("X-API-Key: " + defaultKey); got.status != 200 {
		t.Errorf("the right key from the same address: got %d, want 200", got.status)
	}
	if got := try(); got.status != 401 {
		t.Errorf("a missing key from the same address: got %d, want 401", got.status)
	}
}

// What cannot be read is told first, then the key, then the pace, then the rules.
func TestRefusalsComeInOrder(t *testing.T) {
	f := newHarness(t, func(o *Options) { o.RateLimit = 1 })
	for _, tt := range []struct {
		name       string
		body       string
		headers    []string
		want       int
		retryAfter string
	}{
		{"unreadable without a key", "{", []string{"Content-Type: application/json"}, 400, ""},
		{"too large without a key", strings.Repeat("x", maxBody+1), nil, 413, ""},
		{"another media type without a key", "x", []string{"Content-Type: text/csv"}, 415, ""},
		{"a broken rule without a key", "nonsense=1", nil, 401, ""},
		{"a broken rule with a key", "nonsense=1", []string{"X-API-Key: " + defaultKey}, 422, ""},
		{"a signup", "user_name=A", []string{"X-API-Key: " + defaultKey}, 200, ""},
		{"a broken rule beyond the limit", "nonsense=1", []string{"X-API-Key: " + defaultKey}, 429, "1"},
		{"a signup with another key of the site", "user_name=A", []string{"X-API-Key: " + secondKey}, 200, ""},
	} {
		got := f.ask(t, "POST", "/signup", tt.body, tt.headers...)
		if got.status != tt.want || got.header.Get("Retry-After") != tt.retryAfter {
			t.Errorf("%s: got %d %q, Retry-After %q, want %d", tt.name, got.status, got.body, got.header.Get("Retry-After"), tt.want)
		}
	}
}

func TestSignupsAreLimitedPerKey(t *testing.T) {
	k := newKeyring([]Site{{Name: "default", Keys: []string{defaultKey, secondKey}}}, 50)
	passed := 0
	for k.holder(defaultKey).limitRate() == nil {
		passed++
	}
	if passed < 100 || passed > 110 {
		t.Errorf("a burst of %d passed, want 100", passed)
	}
	if err := k.holder(secondKey).limitRate(); err != nil {
		t.Errorf("another key: %v", err)
	}
	free := newKeyring([]Site{{Name: "default", Keys: []string{defaultKey}}}, 0)
	for range 1000 {
		if err := free.holder(defaultKey).limitRate(); err != nil {
			t.Fatalf("with the limit off: %v", err)
		}
	}
}

// A million addresses must not fill the memory, nor make the one in use forgotten.
func TestMemoryOfWrongKeysIsBounded(t *testing.T) {
	var g failedAuth
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
		g.wait(netip.AddrFrom16(b), now)
		if i%1000 == 0 {
			wait := g.wait(stubborn, now)
			if tries := i/1000 + 1; (wait > 0) != (tries > wrongKeysPerMinute) {
				t.Fatalf("try %d of one address among many has to wait %v", tries, wait)
			}
		}
	}
	if n := len(g.young) + len(g.old); n > 2*maxLimiters {
		t.Errorf("%d addresses are remembered, want at most %d", n, 2*maxLimiters)
	}
	if grown := int64(heap()) - int64(before); grown > 32<<20 {
		t.Errorf("%d addresses cost %d MiB", addresses, grown>>20)
	}
	runtime.KeepAlive(&g)
}

func TestWrongKeysAreForgivenInTime(t *testing.T) {
	var g failedAuth
	now, from := time.Now(), netip.MustParseAddr("192.0.2.1")
	for range wrongKeysPerMinute {
		if g.wait(from, now) != 0 {
			t.Fatal("limited too soon")
		}
	}
	wait := g.wait(from, now)
	if wait <= 0 || wait > time.Minute {
		t.Fatalf("wait %v", wait)
	}
	if again := g.wait(from, now.Add(wait)); again != 0 {
		t.Errorf("after waiting as told: wait %v more", again)
	}
	if after := g.wait(from, now.Add(time.Hour)); after != 0 || len(g.old)+len(g.young) > 2 {
		t.Errorf("an hour later: wait %v, %d addresses remembered", after, len(g.old)+len(g.young))
	}
}

func TestAddressIsThePeersUnlessAProxyIsTrusted(t *testing.T) {
	trusted := proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")}
	for _, tt := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"nobody in between", "192.0.2.7:999", nil, "192.0.2.7"},
		{"a stranger's word counts for nothing", "192.0.2.7:999", []string{"198.51.100.1"}, "192.0.2.7"},
		{"a proxy's word counts", "10.1.2.3:999", []string{"198.51.100.1"}, "198.51.100.1"},
		{"only the last hop is the proxy's word", "10.1.2.3:999", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.1.2.3:999", []string{"203.0.113.9, 198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		{"two header lines", "10.1.2.3:999", []string{"203.0.113.9", "198.51.100.1"}, "198.51.100.1"},
		{"proxies only", "10.1.2.3:999", []string{"10.0.0.1, 10.0.0.2"}, "10.0.0.1"},
		{"garbage stops the walk", "10.1.2.3:999", []string{"198.51.100.1, unknown"}, "10.1.2.3"},
		{"an empty header", "10.1.2.3:999", []string{""}, "10.1.2.3"},
		{"no header", "10.1.2.3:999", nil, "10.1.2.3"},
		{"a hop with a port", "10.1.2.3:999", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"IPv4 written as IPv6", "[::ffff:10.1.2.3]:999", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"IPv6 stands for its /64", "[2001:db8:1:2:3:4:5:6]:999", nil, "2001:db8:1:2::"},
		{"the same household", "[2001:db8:1:2:ffff::1]:999", nil, "2001:db8:1:2::"},
		{"IPv6 with a zone", "[fe80::1%eth0]:999", nil, "fe80::"},
		{"IPv6 behind an IPv6 proxy", "[2001:db8:ffff::1]:999", []string{"[2001:db8:7:8:9::1]:80"}, "2001:db8:7:8::"},
		{"no address at all", "@", nil, "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.forwarded, "X-Real-Ip": {"198.51.100.77"}}}
		if got := trusted.client(r).String(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Whatever a stranger claims, it is counted under its own address; and a trusted proxy's words never
// make a whole IPv6 address of one.
func FuzzClientAddress(f *testing.F) {
	for _, seed := range []string{"", "192.0.2.1", "10.0.0.1, 192.0.2.1", "[2001:db8::1]:80", "::ffff:1.2.3.4", ",,,", "unknown, 1.2.3.4:5", "fe80::1%eth0"} {
		f.Add(seed)
	}
	trusted := proxies{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, forwarded string) {
		r := &http.Request{RemoteAddr: "192.0.2.7:1", Header: http.Header{"X-Forwarded-For": {forwarded}}}
		if got := trusted.client(r); got != netip.MustParseAddr("192.0.2.7") {
			t.Errorf("a stranger is counted as %v", got)
		}
		r.RemoteAddr = "10.0.0.7:1"
		got := trusted.client(r)
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Errorf("a visitor behind a proxy is counted as %v", got)
		}
		if got.Is6() && netip.PrefixFrom(got, 64).Masked().Addr() != got {
			t.Errorf("%v is not the first of its /64", got)
		}
	})
}

func TestSpoofedForwardingDoesNotEscapeTheLimit(t *testing.T) {
	for _, tt := range []struct {
		name    string
		trusted []netip.Prefix
		want    int // status of a wrong key after the limit, under yet another address
	}{
		{"no proxy is trusted", nil, 429},
		{"the peer is a trusted proxy", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, 401},
	} {
		f := newHarness(t, func(o *Options) { o.TrustedProxies = tt.trusted })
		got := 0
		for i := range wrongKeysPerMinute + 1 {
			got = f.ask(t, "POST", "/signup", "user_name=A", "X-API-Key: wrong", fmt.Sprintf("X-Forwarded-For: 198.51.100.%d", i)).status
		}
		if got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestOneAddressHoldsOnlyItsShareOfStreams(t *testing.T) {
	for _, flush := range []bool{false, true} {
		f := newHarness(t, func(o *Options) { o.MaxSubscribersPerAddress, o.Flush = 2, flush })
		_, leave := f.open(t, "/events")
		f.open(t, "/events")
		got := f.ask(t, "GET", "/events", "")
		if got.status != 200 || !strings.HasPrefix(got.body, "event: busy\nretry: ") || strings.Contains(got.body, "id:") {
			t.Errorf("flush %v: the third stream: got %d %q, want busy", flush, got.status, got.body)
		}
		f.eventuallyCounts(t, `proofstream_streams_ended_total{reason="full"} 1`)
		leave()
		f.eventuallyCounts(t, `proofstream_streams_ended_total{reason="gone"} 1`)
		f.open(t, "/events")
		f.eventuallyCounts(t, `proofstream_subscribers{site="default"} 2`)
	}
}

// Who left must not be counted for ever.
func TestAddressesWithoutStreamsAreForgotten(t *testing.T) {
	f := newHarness(t, func(o *Options) { o.MaxSubscribersPerAddress = 1 })
	_, leave := f.open(t, "/events")
	leave()
	eventually(t, "an empty list", func() bool {
		f.connections.mu.Lock()
		defer f.connections.mu.Unlock()
		return len(f.connections.open) == 0
	})
}
