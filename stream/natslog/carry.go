package natslog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// carryPatience is how long the next portion of a log may take on its way to a cluster.
const carryPatience = 30 * time.Second

// carried looks for an embedded log in Dir and, if there is one, makes it the cluster's: every event
// keeps its id, its time and its key. It returns false when there is none to carry.
//
// The cluster shows a stream restored from a snapshot only once all of it is there, so that a failure
// half way leaves nothing behind, and the next try begins anew. The files stay as they are. Should
// they be carried again some day, after the stream was deleted, opening them began a new epoch, so
// that no position of the deleted stream means anything else.
func (l *Log) carried(ctx context.Context) (bool, error) {
	there, err := l.findOwn()
	if err != nil || !there {
		return false, err
	}
	o := l.opts
	o.URL, o.CredsFile, o.Replicas = "", "", 1
	own, err := Open(ctx, o)
	if err != nil {
		return false, fmt.Errorf("carry the log over, or set PROOF_DATA_DIR to another directory to begin anew: %w", err)
	}
	defer own.Close()
	begun := time.Now()
	state, err := own.sendTo(ctx, l)
	if err != nil {
		return false, fmt.Errorf("carry the log over: %w", err)
	}
	l.mu.Lock()
	l.damage = own.Damage()
	l.mu.Unlock()
	chain := own.Chain()
	l.chain.Store(&chain)
	l.opts.Logger.Info("carried the embedded log over to the cluster; every event keeps its id, and the directory is no longer used",
		"dir", o.Dir, "stream", o.Stream, "events", state.Msgs, "last", state.LastSeq, "took", time.Since(begun).Round(time.Millisecond))
	return true, nil
}

// findOwn tells whether Dir holds a log for this stream. One under another name is an error: its
// events would be left behind unnoticed.
func (l *Log) findOwn() (bool, error) {
	if l.opts.Dir == "" {
		return false, nil
	}
	entries, err := os.ReadDir(filepath.Dir(filepath.Dir(l.files())))
	if errors.Is(err, fs.ErrNotExist) || len(entries) == 0 && err == nil {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for a log to carry over: %w; let this user read it, or set PROOF_DATA_DIR to another directory to begin anew", err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() == l.opts.Stream {
			return true, nil
		}
		names = append(names, e.Name())
	}
	return false, fmt.Errorf("%w: %s holds a log named %s; set PROOF_NATS_STREAM to that to carry it over, or PROOF_DATA_DIR to another directory to begin anew",
		errUnfit, l.opts.Dir, strings.Join(names, ", "))
}

// answer is what the server's snapshot and restore interfaces reply.
type answer struct {
	Error   *jetstream.APIError     `json:"error"`
	Config  *jetstream.StreamConfig `json:"config"`
	State   json.RawMessage         `json:"state"`
	Deliver string                  `json:"deliver_subject"`
}

// sendTo makes a snapshot of this log and restores it as to's stream, with the settings of to.
func (l *Log) sendTo(ctx context.Context, to *Log) (jetstream.StreamState, error) {
	var state jetstream.StreamState
	inbox := l.nc.NewInbox()
	chunks, err := l.nc.SubscribeSync(inbox)
	if err != nil {
		return state, err
	}
	defer chunks.Unsubscribe()
	request, _ := json.Marshal(map[string]any{"deliver_subject": inbox, "no_consumers": true, "chunk_size": 128 << 10, "window_size": 1 << 20})
	taken, err := ask(ctx, l.nc, "$JS.API.STREAM.SNAPSHOT."+l.opts.Stream, request)
	if err != nil {
		return state, err
	}
	if err := json.Unmarshal(taken.State, &state); err != nil {
		return state, err
	}
	cfg := to.opts.settings(*taken.Config)
	to.moved.mark(&cfg, state.LastSeq, to.opts.window())
	request, err = json.Marshal(map[string]any{"config": cfg, "state": taken.State})
	if err != nil {
		return state, err
	}
	begun, err := ask(ctx, to.nc, "$JS.API.STREAM.RESTORE."+to.opts.Stream, request)
	if err != nil {
		return state, err
	}
	return state, passOn(ctx, chunks, to.nc, begun.Deliver)
}

// passOn hands the portions of a snapshot to a restore until the empty one at the end, whose answer is
// that of the whole.
func passOn(ctx context.Context, chunks *nats.Subscription, to *nats.Conn, subject string) error {
	for {
		wait, cancel := context.WithTimeout(ctx, carryPatience)
		chunk, err := chunks.NextMsgWithContext(wait)
		cancel()
		if err != nil {
			return err
		}
		status := chunk.Header.Get("Status")
		if len(chunk.Data) == 0 && status != "" && status != "204" {
			return fmt.Errorf("snapshot: %s %s", status, chunk.Header.Get("Description"))
		}
		if _, err := ask(ctx, to, subject, chunk.Data); err != nil {
			return err
		}
		if len(chunk.Data) == 0 {
			return nil
		}
		if chunk.Reply != "" {
			if err := chunk.Respond(nil); err != nil {
				return err
			}
		}
	}
}

// ask puts a question to a server and returns its answer, or the error in that.
func ask(ctx context.Context, nc *nats.Conn, subject string, data []byte) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, carryPatience)
	defer cancel()
	reply, err := nc.RequestWithContext(ctx, subject, data)
	if err != nil {
		return answer{}, err
	}
	var a answer
	if len(reply.Data) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(reply.Data, &a); err != nil {
		return a, err
	}
	if a.Error != nil {
		return a, a.Error
	}
	return a, nil
}
