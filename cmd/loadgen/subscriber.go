package main

import "net/http"

// subscriber is one browser: the connection it has now, and the audit of all it was sent, which
// spans its connections.
type subscriber struct {
	state     state
	awaitHead bool
	chunked   bool
	chunks    dechunker
	scan      scanner
	head      []byte // an incomplete response head
	id        []byte // of the last dispatched frame
	opened    int64  // when the current connection was begun

	next   []uint32 // by lane: the place expected next
	order  uint64   // a digest of all events in the order they came
	flawed bool     // something was lost or repeated: its order says nothing
}

type state uint8

const (
	stateIdle    state = iota
	stateOpening       // until the ready frame
	stateLive
	stateBusy // told that the house is full
)

// connect makes the subscriber ready for the bytes of a new connection.
func (s *subscriber) connect(now int64) {
	s.state, s.awaitHead, s.opened = stateOpening, true, now
	s.chunks, s.scan, s.head = dechunker{}, scanner{}, nil
}

// takeHead strips the response head off the first bytes of a connection.
func (s *subscriber) takeHead(b []byte) (body []byte, status int, err error) {
	if len(s.head) > 0 {
		b = append(s.head, b...)
	}
	h, body, ok, err := parseHead(b)
	if err != nil {
		return nil, 0, err
	}
	if !ok {
		s.head = append([]byte(nil), b...)
		return nil, 0, nil
	}
	s.awaitHead, s.chunked, s.head = false, h.chunked, nil
	return body, h.status, nil
}

// audit counts what subscribers were sent against what was stored.
type audit struct {
	Delivered  int64 `json:"delivered"`
	Lost       int64 `json:"lost"`       // stored, and skipped or never sent
	Repeated   int64 `json:"repeated"`   // sent again, or too late
	Disordered int64 `json:"disordered"` // subscribers that saw another order than the rest
	Dropped    int64 `json:"dropped"`    // streams the server ended unasked
	Shed       int64 `json:"shed"`       // streams answered with "busy"
	Failed     int64 `json:"failed"`     // connections refused, reset or answered with an error
	Foreign    int64 `json:"foreign"`    // events that this run did not post
}

func (a audit) since(b audit) audit {
	return audit{
		a.Delivered - b.Delivered, a.Lost - b.Lost, a.Repeated - b.Repeated, a.Disordered - b.Disordered,
		a.Dropped - b.Dropped, a.Shed - b.Shed, a.Failed - b.Failed, a.Foreign - b.Foreign,
	}
}

// flaws returns how much there is to complain about.
func (a audit) flaws() int64 {
	return a.Lost + a.Repeated + a.Disordered + a.Dropped + a.Shed + a.Failed
}

// observe enters one of our events.
func (s *subscriber) observe(k mark, lanes []*lane, a *audit) (fresh bool) {
	want := &s.next[k.lane]
	if k.seq < *want {
		a.Repeated++
		s.flawed = true
		return false
	}
	if k.seq > *want {
		a.Lost += s.skip(lanes[k.lane], k.seq)
	}
	*want = k.seq + 1
	a.Delivered++
	s.order = (s.order ^ uint64(k.lane)<<32 ^ uint64(k.seq)) * 0x9e3779b97f4a7c15
	s.order ^= s.order >> 29
	return true
}

// skip moves on to a place and returns how many stored events that leaves out. Where the outcome
// of a post was unknown, subscribers may rightly differ, so their order is no longer compared.
func (s *subscriber) skip(l *lane, to uint32) int64 {
	n := int64(l.certain(s.next[l.index], to))
	s.next[l.index] = to
	s.flawed = s.flawed || n > 0
	return n
}

// caughtUp reports whether the subscriber has everything posted so far.
func (s *subscriber) caughtUp(lanes []*lane) bool {
	if s.state != stateLive {
		return false
	}
	for i, l := range lanes {
		if to := l.posted.Load(); s.next[i] < to && l.certain(s.next[i], to) > 0 {
			return false
		}
	}
	return true
}

func statusProblem(status int) string {
	switch status {
	case http.StatusNotFound:
		return "GET /events answered 404: no such site, or -url is not the installation itself"
	case http.StatusForbidden:
		return "GET /events answered 403: this generator sends no Origin; something before the service refuses it"
	}
	return "GET /events answered " + http.StatusText(status)
}
