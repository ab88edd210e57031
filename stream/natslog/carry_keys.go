package natslog

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// carriedKey names the stream's metadata entry that tells what was carried over.
const carriedKey = "proofstream.carried"

// carriedKeys remembers the keys of what was carried over for as long as keys are remembered: a server
// that restores a stream does not take them up (2.15), though it keeps them with the events. Each node
// reads them as it reads the log.
type carriedKeys struct {
	mu    sync.Mutex        // guards all below
	Last  uint64            `json:"last"`  // newest sequence that was carried
	Until time.Time         `json:"until"` // when the last of the keys is forgotten
	seqs  map[string]uint64 // by message id
}

// mark puts into a stream's configuration what is carried with it.
func (k *carriedKeys) mark(cfg *jetstream.StreamConfig, last uint64, window time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.Last, k.Until = last, time.Now().Add(window)
	if text, err := json.Marshal(k); err == nil {
		cfg.Metadata[carriedKey] = string(text)
	}
}

// expect reads from a stream's metadata whether there is something to remember.
func (k *carriedKeys) expect(metadata map[string]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = json.Unmarshal([]byte(metadata[carriedKey]), k) // nothing was carried
}

// learn notes the key of an event that is being read.
func (k *carriedKeys) learn(seq uint64, at time.Time, id string, window time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if id == "" || seq > k.Last || time.Since(at) > window {
		return
	}
	if k.seqs == nil {
		k.seqs = make(map[string]uint64)
	}
	k.seqs[id] = seq
}

// find returns the event that was carried with a key.
func (k *carriedKeys) find(id string) (seq uint64, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seqs != nil && time.Now().After(k.Until) {
		k.seqs = nil
	}
	seq, ok = k.seqs[id]
	return seq, ok
}
