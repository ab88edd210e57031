package natslog

import (
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// chainKey names the stream's metadata entry with the epochs; keepEpochs bounds its size well below
// the server's limit of 128 KiB.
const (
	chainKey   = "proofstream.epochs"
	keepEpochs = 1000
)

// newEpoch returns a name that no other epoch will have.
func newEpoch() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	random := make([]byte, 6)
	rand.Read(random)
	for i := range random {
		random[i] = alphabet[int(random[i])%len(alphabet)]
	}
	return string(random)
}

// readChain returns the epochs in a stream's metadata; none when they are not there or not readable.
func readChain(metadata map[string]string) (stream.Chain, error) {
	text, ok := metadata[chainKey]
	if !ok {
		return nil, nil
	}
	var c stream.Chain
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return nil, fmt.Errorf("read the epochs in the stream's metadata: %w", err)
	}
	return c, nil
}

// writeChain puts the epochs into the metadata of a configuration, beside what is there.
func writeChain(cfg *jetstream.StreamConfig, c stream.Chain) {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and numbers
	}
	kept := map[string]string{chainKey: string(text)}
	for k, v := range cfg.Metadata {
		if k != chainKey {
			kept[k] = v
		}
	}
	cfg.Metadata = kept
}

// newest returns the name of the present epoch.
func (l *Log) newest() string {
	c := l.Chain()
	return c[len(c)-1].Name
}
