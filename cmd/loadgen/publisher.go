package main

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// publisher posts one signup at a time and awaits the response, so its events have one order, which
// every subscriber must see. One goroutine at a time may call publish; the polling goroutine calls
// stored and reads posted and due meanwhile. The other fields are read between phases.
type publisher struct {
	index  int
	poster *poster

	posted  atomic.Uint32             // every event below this sequence is stored or has an unknown outcome
	due     [maxInFlight]atomic.Int64 // by sequence modulo maxInFlight: clock time the event was due
	mu      sync.Mutex                // guards unknown
	unknown map[uint32]bool           // sequences whose outcome is unknown: receiving them or not is correct

	responses       *hdrhistogram.Histogram // microseconds from request to response
	refused         int                     // posts with status 429: not stored, the sequence is used again
	unknownOutcomes int                     // posts with status 5xx or without a response: outcome unknown
	problem         string                  // description of the latest of these
}

// maxInFlight is how many events of a publisher can be on their way to subscribers before their
// latencies are computed from the wrong due time.
const maxInFlight = 1 << 14

// refusalDelay is how long a publisher waits after a post that was refused or failed.
const refusalDelay = 10 * time.Millisecond

// newLatencies returns a histogram of 1 µs to 10 minutes with three significant digits.
func newLatencies() *hdrhistogram.Histogram { return hdrhistogram.New(1, 600e6, 3) }

func newPublisher(index int, t *target, key string, c *tagCodec) *publisher {
	return &publisher{
		index: index, poster: newPoster(t, key, c), unknown: map[uint32]bool{}, responses: newLatencies(),
	}
}

// errRejected means that the server rejects every post of this run.
var errRejected = errors.New("the server rejects signups")

// publish posts the next event, due at the given clock time, and awaits the response. It returns an
// error only if further posts cannot succeed; it counts other outcomes.
func (p *publisher) publish(due int64) error {
	seq := p.posted.Load()
	p.due[seq%maxInFlight].Store(due)
	sent := clock()
	response, err := p.poster.post(tag{p.index, seq})
	_ = p.responses.RecordValue(max(1, (clock()-sent)/1e3))
	switch {
	case err != nil:
		p.problem = err.Error()
		p.recordUnknown(seq)
	case response.status == http.StatusOK:
		p.posted.Add(1)
	case response.status == http.StatusTooManyRequests:
		p.refused++
		p.problem = "429: the server limits the rate; start it with PROOF_RATE_LIMIT=0 to measure it"
		time.Sleep(refusalDelay)
	case response.status >= 500:
		p.problem = fmt.Sprintf("%d: %s", response.status, response.text)
		p.recordUnknown(seq)
		time.Sleep(refusalDelay)
	default:
		return fmt.Errorf("%w: POST /signup got status %d %s%s", errRejected, response.status, response.text, advice(response.status))
	}
	return nil
}

// recordUnknown records that the outcome of a post is unknown.
func (p *publisher) recordUnknown(seq uint32) {
	p.unknownOutcomes++
	p.mu.Lock()
	p.unknown[seq] = true
	p.mu.Unlock()
	p.posted.Add(1)
}

// stored returns how many events in [from, to) are known to be stored.
func (p *publisher) stored(from, to uint32) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := int(to - from)
	for seq := range p.unknown {
		if from <= seq && seq < to {
			n--
		}
	}
	return n
}

// advice says what to change after a rejected post.
func advice(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "; pass a key of this installation with -key or LOADGEN_KEY"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "; -url must be the address of the installation itself, without a path"
	}
	return ""
}
