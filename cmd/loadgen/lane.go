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

// lane is one publisher: it posts one signup at a time and awaits the answer, so that its events
// have one order, which every subscriber must see. One goroutine at a time may call publish; the
// auditing goroutine reads what is shared.
type lane struct {
	index  int
	poster *poster

	posted   atomic.Uint32            // places used: every event below this was stored, or is doubtful
	intended [laneMemory]atomic.Int64 // when each was meant to be posted, by place
	doubt    map[uint32]bool          // places whose outcome is unknown: seen or not, both are right
	doubtMu  sync.Mutex               // guards doubt
	answers  *hdrhistogram.Histogram  // microseconds from sending to answer
	refused  int                      // answered 4xx: not stored, the place is used again
	unclear  int                      // answered 5xx or not at all
	problem  string                   // the latest such answer
}

// laneMemory is how many events of a lane may be under way before their latencies get mixed up.
const laneMemory = 1 << 14

// newLatencies holds a microsecond to ten minutes at three digits.
func newLatencies() *hdrhistogram.Histogram { return hdrhistogram.New(1, 600e6, 3) }

func newLane(index int, t *target, key string, m *marker) *lane {
	return &lane{
		index: index, poster: newPoster(t, key, m), doubt: map[uint32]bool{}, answers: newLatencies(),
	}
}

// errGiveUp is what no further post can mend.
var errGiveUp = errors.New("the server does not take our signups")

// publish posts the lane's next event, meant for the given time, and awaits the answer. It returns
// an error only when going on is pointless; what else goes wrong is counted.
func (l *lane) publish(intended int64) error {
	seq := l.posted.Load()
	l.intended[seq%laneMemory].Store(intended)
	sent := clock()
	answer, err := l.poster.post(mark{l.index, seq})
	_ = l.answers.RecordValue(max(1, (clock()-sent)/1e3))
	switch {
	case err != nil:
		l.problem = err.Error()
		l.uncertain(seq)
	case answer.status == http.StatusOK:
		l.posted.Add(1)
	case answer.status == http.StatusTooManyRequests:
		l.refused++
		l.problem = "429: the server limits the rate; start it with PROOF_RATE_LIMIT=0 to measure it"
		time.Sleep(10 * time.Millisecond)
	case answer.status >= 500:
		l.problem = fmt.Sprintf("%d: %s", answer.status, answer.text)
		l.uncertain(seq)
		time.Sleep(10 * time.Millisecond)
	default:
		return fmt.Errorf("%w: POST /signup answered %d %s%s", errGiveUp, answer.status, answer.text, advice(answer.status))
	}
	return nil
}

func (l *lane) uncertain(seq uint32) {
	l.unclear++
	l.doubtMu.Lock()
	l.doubt[seq] = true
	l.doubtMu.Unlock()
	l.posted.Add(1)
}

// certain returns how many events from one place to another, exclusive, are known to be stored.
func (l *lane) certain(from, to uint32) int {
	l.doubtMu.Lock()
	defer l.doubtMu.Unlock()
	n := int(to - from)
	for seq := range l.doubt {
		if from <= seq && seq < to {
			n--
		}
	}
	return n
}

func advice(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "; pass a key of this installation with -key or LOADGEN_KEY"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "; -url must be the address of the installation itself, without a path"
	}
	return ""
}
