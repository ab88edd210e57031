package operation

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// manager is the socket at which a service manager expects states.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
	env  string // for the program
}

func newManager(t *testing.T, path string) manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return manager{t, conn, "NOTIFY_SOCKET=" + path}
}

// next returns the next state, "" when there is none within the limit.
func (m manager) next(limit time.Duration) string {
	m.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		m.t.Fatal(err)
	}
	b := make([]byte, 100)
	n, _ := m.conn.Read(b) // at the deadline it reads nothing
	return string(b[:n])
}

// want fails the test when the next state is another one.
func (m manager) want(state string) {
	m.t.Helper()
	if got := m.next(waitfor.Patience); got != state {
		m.t.Errorf("the service manager is told %q, want %q", got, state)
	}
}

// The service manager is told that the service is ready when it listens, which is after a wait for the data directory, and that it stops.
func TestServiceManagerIsToldOfStartAndStop(t *testing.T) {
	t.Parallel()
	m := newManager(t, filepath.Join(t.TempDir(), "notify"))
	first := e2e.Start(t)
	p := e2e.Launch(t, m.env, "PROOF_DATA_DIR="+first.Dir)
	p.AwaitLog("waiting for")
	if got := m.next(time.Millisecond); got != "" {
		t.Errorf("while the service waits for its directory, the service manager is told %q", got)
	}
	first.Stop()
	m.want("READY=1")
	p.AwaitLog("serving")
	p.Stop()
	m.want("STOPPING=1")
}

// With its cluster out of reach the service is ready for the service manager: it listens, and waits. The socket may be an abstract one.
func TestServiceManagerDoesNotWaitForTheCluster(t *testing.T) {
	t.Parallel()
	m := newManager(t, "@"+filepath.Join(t.TempDir(), "notify"))
	address := e2e.FreeAddress(t)
	p := e2e.Launch(t, m.env, "PROOF_NATS_URL=nats://"+e2e.FreeAddress(t), "PROOF_ADDR="+address)
	m.want("READY=1")
	if a := (e2e.Server{URL: "http://" + address}).Get(t, "/ready"); a.Status != 503 {
		t.Errorf("/ready: got %d, want 503", a.Status)
	}
	p.Stop()
	m.want("STOPPING=1")
}

// A socket that does not exist costs the service nothing but a warning.
func TestServiceManagerThatIsGoneIsAWarning(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, "NOTIFY_SOCKET="+filepath.Join(t.TempDir(), "nothing"))
	p.AwaitLog("the service manager was not notified")
	p.Stop()
}
