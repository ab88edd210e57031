package api

import (
	"os"
	"runtime/debug"
	"testing"

	"proofstream/stream/registry"
)

// Each server that is made and closed again, as tests and reloads do, must give back its descriptor. The collector is
// off, since it closes files that were forgotten.
func TestCloseFreesTheDescriptor(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	epolls := func() (n int) {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range open {
			if name, _ := os.Readlink("/proc/self/fd/" + fd.Name()); name == "anon_inode:[eventpoll]" {
				n++
			}
		}
		return n
	}
	reg := registry.New(nil, registry.Options{})
	started := func(o Options) *Server {
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	o := Options{Registry: reg, Assets: fewAssets}
	started(o).Close() // Go's own poller is there from now on
	before := epolls()
	for range 5 {
		closed := epolls()
		s := started(o)
		if epolls() != closed+1 {
			t.Fatal("this test does not see a server's descriptor")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Options{Registry: reg, Assets: os.DirFS(t.TempDir())}); err == nil {
			t.Fatal("a server without assets was made")
		}
	}
	if n := epolls(); n != before {
		t.Errorf("%d descriptors are open after 5 servers, want %d", n, before)
	}
}
