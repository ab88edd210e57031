package main

import (
	"context"
	"time"
)

// notice is the least time for which a service that goes down still answers, so that who looks at
// /ready now and then can see it say so. It takes at most a tenth of the grace time.
const notice = 500 * time.Millisecond

// shutdown ends what visitors and backends hold: new streams are put off, open ones ended a few at
// a time, the listener closed after the last of them, and posts answered. What has not ended within the grace
// time is cut.
func (s *service) shutdown() {
	s.logger.Info("stopping", "subscribers", s.registry.Open(), "grace", s.cfg.ShutdownGrace)
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownGrace)
	defer cancel()
	if err := s.drain(ctx); err != nil {
		s.logger.Warn("not everything ended within the grace time", "subscribers", s.registry.Open())
		_ = s.http.Close()
	}
}

// drain is shutdown as long as there is time; the error is the context's.
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
