package main

import "time"

// transport holds the sockets of all subscribers by index. There are two: epollTransport (Linux,
// plain HTTP), which needs a few bytes per socket, and netTransport (https, other systems), which
// needs two goroutines per connection. One goroutine calls all methods.
type transport interface {
	// open connects subscriber i and sends the request. It reports an error through ended.
	open(i int, request []byte)
	// close closes subscriber i; the handler is not called for that connection again.
	close(i int)
	// poll waits at most d for sockets and calls h for everything that happened.
	poll(d time.Duration, h handler) error
	// closeAll closes all sockets and releases the transport.
	closeAll()
}

// handler receives what poll finds.
type handler interface {
	// received is called with bytes that arrived at clock time now; b is valid during the call.
	received(i int, b []byte, now int64)
	// ended is called after the transport has closed the connection; err is io.EOF if the server did.
	ended(i int, err error)
}
