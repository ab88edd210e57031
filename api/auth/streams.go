package auth

import (
	"net/http"
	"net/netip"
	"sync"
)

// Connections limits open streams by client address. Set Max and Proxies before use; it is safe for concurrent use.
type Connections struct {
	// Max is how many streams one address may have open. 0 is no limit, and nothing is counted; a negative number refuses all.
	Max int
	// Proxies are trusted to name the client's address.
	Proxies Proxies

	mu   sync.Mutex         // guards open
	open map[netip.Addr]int // without addresses that have none
}

// Enter counts a request's stream. It returns what to call once, at the stream's end, or nil when the address has Max streams
// open.
func (c *Connections) Enter(r *http.Request) (leave func()) {
	if c.Max == 0 {
		return func() {}
	}
	from := c.Proxies.Client(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[from] >= c.Max {
		return nil
	}
	if c.open == nil {
		c.open = make(map[netip.Addr]int)
	}
	c.open[from]++
	return func() { c.leave(from) }
}

func (c *Connections) leave(from netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[from]--; c.open[from] == 0 {
		delete(c.open, from)
	}
}
