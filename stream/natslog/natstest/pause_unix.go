//go:build unix

package natstest

import "syscall"

// Pause stops the server's execution until Resume. Its connections stay open. The server has to run.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.process.Signal(sig); err != nil {
		s.t.Fatalf("signal NATS server %s: %v", s.Name, err)
	}
}
