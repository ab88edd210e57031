package natslog

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

var errStopped = errors.New("embedded server is stopped")

// node is the embedded server. It can be restarted under a connection, which then finds the new one.
type node struct {
	opts   Options
	bridge *bridge

	mu  sync.Mutex // guards srv
	srv *server.Server
}

// start starts the server on the files in Dir and waits until it serves.
func (n *node) start() error {
	srv, err := server.NewServer(n.serverOptions())
	if err != nil {
		return err
	}
	srv.SetLoggerV2(n.bridge, false, false, false)
	n.bridge.reset()
	srv.Start()
	if !srv.ReadyForConnections(time.Minute) || !srv.JetStreamEnabled() {
		srv.Shutdown()
		srv.WaitForShutdown()
		if last := n.bridge.last(); last != "" {
			return fmt.Errorf("embedded server did not start: %s", last)
		}
		return errors.New("embedded server did not start within a minute")
	}
	n.mu.Lock()
	n.srv = srv
	n.mu.Unlock()
	return nil
}

func (n *node) serverOptions() *server.Options {
	return &server.Options{
		ServerName:             n.opts.Stream,
		DontListen:             true,
		NoSigs:                 true,
		DisableJetStreamBanner: true,
		DisableShortFirstPing:  true,
		MaxClosedClients:       1,
		JetStream:              true,
		JetStreamMaxMemory:     64 << 20,
		JetStreamMaxStore:      1 << 62, // the retention is the only limit
		StoreDir:               n.opts.Dir,
		SyncAlways:             n.opts.Fsync == 0,
		SyncInterval:           n.opts.Fsync,
	}
}

// stop ends the server once its files are written. It is not an error when it is not running.
func (n *node) stop() {
	n.mu.Lock()
	srv := n.srv
	n.srv = nil
	n.mu.Unlock()
	if srv != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
	}
}

// InProcessConn connects to the server that runs now.
func (n *node) InProcessConn() (net.Conn, error) {
	n.mu.Lock()
	srv := n.srv
	n.mu.Unlock()
	if srv == nil {
		return nil, errStopped
	}
	return srv.InProcessConn()
}
