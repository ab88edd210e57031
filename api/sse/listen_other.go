//go:build !linux

package sse

import "net"

// ListenConfig returns the configuration for the listeners of a Server: the standard one.
func ListenConfig() net.ListenConfig { return net.ListenConfig{} }

// prepare sets the send buffer of a connection that is taken over. A client that has vanished is noticed by keep-alive
// probes and the write deadline alone.
func prepare(tcp *net.TCPConn) { _ = tcp.SetWriteBuffer(sendBuffer) }
