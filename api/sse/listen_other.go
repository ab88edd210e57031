//go:build !linux

package sse

import "net"

// ListenConfig opens what a Server is to be served on.
func ListenConfig() net.ListenConfig { return net.ListenConfig{} }

// prepare gives a connection that is taken over its small send buffer. Keep-alive probes and the
// write deadline must do to notice who has vanished.
func prepare(tcp *net.TCPConn) { _ = tcp.SetWriteBuffer(sendBuffer) }
