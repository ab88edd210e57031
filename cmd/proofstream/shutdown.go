package main

import (
	"context"
	"errors"
	"time"
)

// notice is the least time for which a service that goes down still answers, so that who looks at
// /ready now and then can see it say so. It takes at most a tenth of the grace time.
const notice = 500 * time.Millisecond

// shutdown ends what visitors and backends hold: new streams are put off, open ones ended a few at
// a time, the listener closed after the last of them, and posts answered.
func (s *service) shutdown() error {
	s.logger.Info("stopping", "subscribers", s.registry.Open(), "grace", s.cfg.ShutdownGrace)
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownGrace)
	defer cancel()
	noticed := time.After(min(notice, s.cfg.ShutdownGrace/10))
	s.face.Refuse()
	err := s.registry.Drain(ctx, s.cfg.ShutdownGrace/2)
	if err == nil {
		err = s.face.Wait(ctx)
	}
	if err == nil {
		<-noticed
		err = s.http.Shutdown(ctx)
	}
	if err == nil {
		err = s.face.WaitTurnedAway(ctx)
	}
	if err != nil { // out of time: what is still open is cut
		s.logger.Warn("not everything ended within the grace time", "subscribers", s.registry.Open())
		_ = s.http.Close()
	}
	return nil
}

// ended returns nil for the error with which goroutines end when they are told to.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
