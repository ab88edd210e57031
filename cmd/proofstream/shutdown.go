package main

import (
	"context"
	"time"
)

// notice is the shortest time from SIGTERM to the closing of the listener, at most a tenth of the grace time. A load
// balancer that polls /ready sees the 503 in it.
const notice = 500 * time.Millisecond

// shutdown ends all streams and requests within the grace time: it refuses new streams with "busy", ends open ones a
// few at a time, closes the listener after the last of them, and waits for posts under way. After the grace time it
// closes the connections that are left.
func (s *service) shutdown() {
	s.tellManager("STOPPING=1")
	s.logger.Info("stopping", "subscribers", s.registry.Open(), "grace", s.cfg.ShutdownGrace)
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownGrace)
	defer cancel()
	if err := s.drain(ctx); err != nil {
		s.logger.Warn("not everything ended within the grace time", "subscribers", s.registry.Open())
		_ = s.http.Close()
	}
}

// drain is the orderly part of shutdown. Its error is that of ctx, which ends with the grace time.
func (s *service) drain(ctx context.Context) error {
	noticed := time.After(min(notice, s.cfg.ShutdownGrace/10))
	s.server.Refuse()
	if err := s.registry.Drain(ctx, s.cfg.ShutdownGrace/2); err != nil {
		return err
	}
	if err := s.server.Wait(ctx); err != nil {
		return err
	}
	<-noticed
	if err := s.http.Shutdown(ctx); err != nil {
		return err
	}
	return s.server.WaitBusy(ctx)
}
