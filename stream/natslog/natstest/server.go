package natstest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"proofstream/stream/waitfor"
)

// Server is a nats-server process.
type Server struct {
	Name string // n0, n1 and so on; JetStream names the leader of a stream by it
	Port int    // on which it accepts clients
	Dir  string // holds its configuration, and its store below

	t       testing.TB
	process *os.Process // nil while it does not run
	kill    func()      // ends process
}

// Start starts the server on what it had stored before. It does not wait until the server accepts connections.
func (s *Server) Start() {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", s.config(), "-js", "-sd", filepath.Join(s.Dir, "store"))
	out := new(waitfor.Output)
	cmd.Stdout, cmd.Stderr = out, out
	endWithParent(cmd)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // an error, as it is killed
	}()
	s.process = cmd.Process
	s.kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // an error when it has ended by itself
		<-exited
		if text := out.String(); s.t.Failed() {
			s.t.Logf("NATS server %s wrote at its end: %s", s.Name, text[max(0, len(text)-4096):])
		}
	})
	s.t.Cleanup(s.kill)
}

// Ready waits until the server accepts connections.
func (s *Server) Ready() {
	s.t.Helper()
	waitfor.Fact(s.t, "NATS server "+s.Name+" accepts connections", func() bool {
		c, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", s.Port))
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

// Kill ends the server with SIGKILL and waits for its end. It does nothing when the server does not run.
func (s *Server) Kill() {
	if s.process != nil {
		s.kill()
		s.process = nil
	}
}

// PID returns the id of the process of a server that runs.
func (s *Server) PID() int { return s.process.Pid }

var (
	mu    sync.Mutex // guards built
	built string     // directory of the program, "" while there is none
)

// binary returns the path of the server program, which it builds at its first call.
var binary = sync.OnceValues(func() (string, error) {
	mu.Lock()
	defer mu.Unlock()
	dir, err := os.MkdirTemp("", "natstest-")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "nats-server")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the NATS server: %w\n%s", err, out)
	}
	return path, nil
})

// Remove deletes the server program that was built for the tests of this process, if there is one.
func Remove() {
	mu.Lock()
	defer mu.Unlock()
	if built != "" {
		_ = os.RemoveAll(built) // at worst a file stays in the temporary directory
	}
}
