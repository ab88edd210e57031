package natslog

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// The keys of our entries in a stream's metadata.
const (
	epochsKey    = "proofstream.epochs"    // the epoch history of the site, JSON
	migratingKey = "proofstream.migrating" // set while an embedded log is being copied into the stream
)

// settings returns base with the settings that this package needs for a site's stream. All others stay as they are.
func (o Options) settings(site string, base jetstream.StreamConfig) jetstream.StreamConfig {
	base.Name = o.Stream + "-" + site
	base.Subjects = []string{o.Stream + "." + site + ".>"}
	base.Retention = jetstream.LimitsPolicy
	base.Storage = jetstream.FileStorage
	base.Discard = jetstream.DiscardOld
	base.MaxMsgs = int64(o.Limits.Events)
	base.MaxMsgsPerSubject = -1
	base.MaxAge = o.Limits.Age
	base.Duplicates = min(time.Hour, o.Limits.Age)
	base.AllowDirect = true
	base.DenyDelete = false
	base.Replicas = o.Replicas
	return base
}

// differences describes each setting of ours in which two configurations differ.
func differences(have, want jetstream.StreamConfig) (names []string) {
	add := func(name string, have, want any) {
		if h, w := fmt.Sprint(have), fmt.Sprint(want); h != w {
			names = append(names, fmt.Sprintf("%s is %s, not %s", name, h, w))
		}
	}
	add("retention policy", have.Retention, want.Retention)
	add("storage", have.Storage, want.Storage)
	add("discard policy", have.Discard, want.Discard)
	add("messages", have.MaxMsgs, want.MaxMsgs)
	add("messages per subject", have.MaxMsgsPerSubject, want.MaxMsgsPerSubject)
	add("maximum age", have.MaxAge, want.MaxAge)
	add("duplicate window", have.Duplicates, want.Duplicates)
	add("direct get", have.AllowDirect, want.AllowDirect)
	add("deletion denied", have.DenyDelete, want.DenyDelete)
	add("replicas", have.Replicas, want.Replicas)
	return names
}

// limits returns the retention of a stream. A stream without a limit has the greatest one.
func limits(cfg jetstream.StreamConfig) stream.Limits {
	l := stream.Limits{Events: int(cfg.MaxMsgs), Age: cfg.MaxAge}
	if l.Events <= 0 {
		l.Events = math.MaxInt
	}
	if l.Age <= 0 {
		l.Age = math.MaxInt64
	}
	return l
}

// readEpochs returns the epoch history in a stream's metadata, or nil when there is none.
func readEpochs(cfg jetstream.StreamConfig) (h stream.Epochs) {
	if json.Unmarshal([]byte(cfg.Metadata[epochsKey]), &h) != nil {
		return nil
	}
	return h
}

// withEpochs returns cfg with the epoch history in its metadata.
func withEpochs(cfg jetstream.StreamConfig, h stream.Epochs) jetstream.StreamConfig {
	text, err := json.Marshal(h)
	if err != nil {
		panic(err) // strings and numbers
	}
	metadata := map[string]string{}
	maps.Copy(metadata, cfg.Metadata)
	metadata[epochsKey] = string(text)
	cfg.Metadata = metadata
	return cfg
}
