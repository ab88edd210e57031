package natslog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"proofstream/stream"
)

// readPatience is how long a question to the server may go unanswered.
const readPatience = 5 * time.Second

// Read asks for messages directly: there is no consumer to make and remove, and any replica can
// answer. What a replica that lags does not have yet is then missing at the end, never in the middle.
//
// A cluster is asked for batches, to save the way there and back. The embedded server is asked for one
// message at a time: for a batch it first counts what follows, which reads every older block of the
// site (measured with a million events: 6 ms against 1.5 ms for 64 events, and as fast when there
// are few).
func (l *Log) Read(ctx context.Context, site string, after uint64, max int) ([]stream.Event, error) {
	if err := checkSite(site); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if err := l.opened(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	page := func(ctx context.Context, site string, after uint64, max int) ([]stream.Event, bool, error) {
		events, left, err := l.readBatch(ctx, site, after, max)
		return events, left > 0, err
	}
	if l.opts.embedded() {
		page = l.readOne
	}
	var events []stream.Event
	for len(events) < max {
		got, more, err := page(ctx, site, after, max-len(events))
		if err != nil {
			return nil, fmt.Errorf("read: %w", unavailable(err))
		}
		events = append(events, got...)
		if !more || len(got) == 0 {
			break
		}
		after = got[len(got)-1].Seq
	}
	return events, nil
}

// readBatch returns what the server sends at once, which it bounds by bytes too, and
// how many more there were.
func (l *Log) readBatch(ctx context.Context, site string, after uint64, max int) (events []stream.Event, left uint64, err error) {
	request := fmt.Appendf(nil, `{"seq":%d,"next_by_subj":"%s.%s.*","batch":%d}`, after+1, l.opts.Stream, site, max)
	inbox := l.nc.NewRespInbox()
	sub, err := l.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, 0, err
	}
	defer sub.Unsubscribe()
	if err := l.nc.PublishRequest("$JS.API.DIRECT.GET."+l.opts.Stream, inbox, request); err != nil {
		return nil, 0, err
	}
	for {
		msg, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, 0, err
		}
		switch status := msg.Header.Get("Status"); status {
		case "":
		case "204": // end of batch
			left, _ = strconv.ParseUint(msg.Header.Get("Nats-Num-Pending"), 10, 64)
			return events, left, nil
		case "404":
			return nil, 0, nil
		default:
			return nil, 0, fmt.Errorf("direct get: %s %s", status, msg.Header.Get("Description"))
		}
		// Each message names its predecessor, so that one lost on the way is not overlooked.
		var before uint64
		if len(events) > 0 {
			before = events[len(events)-1].Seq
		}
		if previous := msg.Header.Get("Nats-Last-Sequence"); previous != strconv.FormatUint(before, 10) {
			return nil, 0, fmt.Errorf("direct get: message after %d came after %s", before, previous)
		}
		e, err := l.event(msg)
		if err != nil {
			return nil, 0, err
		}
		events = append(events, e)
	}
}

// readOne returns the next event, and true unless there was none.
func (l *Log) readOne(ctx context.Context, site string, after uint64, _ int) ([]stream.Event, bool, error) {
	request := fmt.Appendf(nil, `{"seq":%d,"next_by_subj":"%s.%s.*"}`, after+1, l.opts.Stream, site)
	msg, err := l.nc.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+l.opts.Stream, request)
	if err != nil {
		return nil, false, err
	}
	switch status := msg.Header.Get("Status"); status {
	case "":
	case "404":
		return nil, false, nil
	default:
		return nil, false, fmt.Errorf("direct get: %s %s", status, msg.Header.Get("Description"))
	}
	e, err := l.event(msg)
	return []stream.Event{e}, err == nil, err
}

// event returns what a directly gotten message holds.
func (l *Log) event(msg *nats.Msg) (stream.Event, error) {
	seq, err1 := strconv.ParseUint(msg.Header.Get(jetstream.SequenceHeader), 10, 64)
	at, err2 := time.Parse(time.RFC3339Nano, msg.Header.Get(jetstream.TimeStampHeaer))
	site, kind, err3 := l.parseSubject(msg.Header.Get(jetstream.SubjectHeader))
	if err := errors.Join(err1, err2, err3); err != nil {
		return stream.Event{}, fmt.Errorf("direct get: %w", err)
	}
	return stream.Event{Seq: seq, Site: site, Kind: kind, Time: at, Data: msg.Data}, nil
}

// stored is a message as the leader of the stream tells it.
type stored struct {
	Message struct {
		Subject string    `json:"subject"`
		Seq     uint64    `json:"seq"`
		Data    []byte    `json:"data"`
		Time    time.Time `json:"time"`
	} `json:"message"`
	Error *jetstream.APIError `json:"error"`
}

// Get asks the leader, not any replica: what was just appended is there.
func (l *Log) Get(ctx context.Context, seq uint64) (stream.Event, error) {
	if err := l.opened(); err != nil {
		return stream.Event{}, err
	}
	if seq == 0 {
		return stream.Event{}, fmt.Errorf("get event 0: %w", stream.ErrNotFound)
	}
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	reply, err := l.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+l.opts.Stream, fmt.Appendf(nil, `{"seq":%d}`, seq))
	if err != nil {
		return stream.Event{}, fmt.Errorf("get event %d: %w", seq, unavailable(err))
	}
	var answer stored
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return stream.Event{}, fmt.Errorf("get event %d: %w", seq, unavailable(err))
	}
	switch m := answer.Message; {
	case answer.Error == nil:
		site, kind, err := l.parseSubject(m.Subject)
		return stream.Event{Seq: m.Seq, Site: site, Kind: kind, Time: m.Time, Data: m.Data}, err
	case answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return stream.Event{}, fmt.Errorf("get event %d: %w", seq, stream.ErrNotFound)
	}
	return stream.Event{}, fmt.Errorf("get event %d: %w", seq, unavailable(answer.Error))
}

// Erase has the server overwrite the message in its files before it forgets it.
func (l *Log) Erase(ctx context.Context, seq uint64) error {
	if _, err := l.Get(ctx, seq); errors.Is(err, stream.ErrNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	s, err := l.js.Stream(ctx, l.opts.Stream)
	if err == nil && l.opts.embedded() {
		return l.eraseOwn(ctx, s, seq)
	}
	if err == nil {
		err = s.SecureDeleteMsg(ctx, seq)
	}
	return l.erased(ctx, seq, err)
}

// eraseOwn is Erase in the embedded server, which puts another file in the place of the one with the event. Should it
// not say whether it has, appends go on as if it were about to: see syncName.
func (l *Log) eraseOwn(ctx context.Context, s jetstream.Stream, seq uint64) error {
	l.keep.Lock()
	defer l.keep.Unlock()
	err := l.note(ctx, 1, true)
	if err == nil {
		l.erasing.Store(true)
		err = s.SecureDeleteMsg(ctx, seq)
	}
	var answered *jetstream.APIError
	if err == nil || errors.As(err, &answered) {
		if err := l.syncReplaced(); err != nil {
			l.state.worsen(err)
			return fmt.Errorf("erase event %d: %w", seq, unavailable(err))
		}
		l.erasing.Store(false)
	}
	return l.erased(ctx, seq, err)
}

// erased judges the error of an erasure.
func (l *Log) erased(ctx context.Context, seq uint64, err error) error {
	if err == nil {
		return nil
	}
	if _, lost := l.Get(ctx, seq); errors.Is(lost, stream.ErrNotFound) {
		return nil // someone else was faster
	}
	return fmt.Errorf("erase event %d: %w", seq, unavailable(err))
}
