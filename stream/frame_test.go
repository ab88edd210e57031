package stream_test

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"proofstream/stream"
	"proofstream/stream/signup"
	"proofstream/stream/ssetest"
)

var (
	testID   = stream.ID{Epoch: "k3v9", Seq: 1041}
	testTime = time.Date(2026, 11, 21, 21, 2, 14, 501_900_000, time.FixedZone("CET", 3600))
)

const testAt = `"at":"2026-11-21T20:02:14.501Z"`

func newFrame(id stream.ID, kind stream.Kind, data []byte) *stream.Frame {
	return stream.NewFrame(stream.Event{ID: id, Kind: kind, Time: testTime, Data: data})
}

func TestFrameBytes(t *testing.T) {
	ada := signup.Signup{UserName: "Ada", OfferName: "Spring Sale", ImgPath: "default"}.Data()
	retry := 2731 * time.Millisecond
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"a signup", newFrame(testID, stream.Announce, ada).Bytes(),
			"event: signup\ndata: {\"img_path\":\"default\",\"offer_name\":\"Spring Sale\",\"user_name\":\"Ada\",\"at\":\"2026-11-21T20:02:14.501Z\"}\nid: k3v9-1041\n\n"},
		{"a retraction", newFrame(stream.ID{"k3v9", 1042}, stream.Retract, stream.RetractData(testID)).Bytes(),
			"event: retract\ndata: {\"id\":\"k3v9-1041\"}\nid: k3v9-1042\n\n"},
		{"ready and complete", stream.ReadyFrame(testID, stream.Complete, "", testTime, retry),
			"event: ready\nretry: 2731\ndata: {\"replay\":\"complete\",\"time\":\"2026-11-21T20:02:14.501Z\"}\nid: k3v9-1041\n\n"},
		{"ready and fresh", stream.ReadyFrame(stream.ID{"a", 0}, stream.Fresh, "", testTime, retry),
			"event: ready\nretry: 2731\ndata: {\"replay\":\"fresh\",\"time\":\"2026-11-21T20:02:14.501Z\"}\nid: a-0\n\n"},
		{"ready with a gap", stream.ReadyFrame(testID, stream.Gap, stream.Expired, testTime, retry),
			"event: ready\nretry: 2731\ndata: {\"replay\":\"gap\",\"reason\":\"expired\",\"time\":\"2026-11-21T20:02:14.501Z\"}\nid: k3v9-1041\n\n"},
		{"busy", stream.BusyFrame(5 * time.Second), "event: busy\nretry: 5000\ndata: {}\n\n"},
		{"a retry that has passed", stream.BusyFrame(-time.Second), "event: busy\nretry: 0\ndata: {}\n\n"},
		{"a heartbeat", []byte(stream.Heartbeat), ":\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if string(tt.got) != tt.want {
				t.Errorf("got  %q\nwant %q", tt.got, tt.want)
			}
		})
	}
}

func TestFrameTellsWhatItIsMadeOf(t *testing.T) {
	for _, tt := range []struct {
		kind       stream.Kind
		data, want string
	}{
		{stream.Announce, `{"a":"\nid: "}`, `{"a":"\nid: ",` + testAt + `}`},
		{stream.Announce, "{\r\n}\n", `{  ` + testAt + `}`},
		{stream.Announce, `{}`, `{` + testAt + `}`},
		{stream.Retract, `{"id":"k3v9-1"}`, `{"id":"k3v9-1"}`},
	} {
		f := newFrame(testID, tt.kind, []byte(tt.data))
		if f.Seq() != testID.Seq || f.Kind() != tt.kind || !f.Time().Equal(testTime.Truncate(time.Millisecond)) || string(f.Data()) != tt.want || string(f.ID()) != testID.String() {
			t.Errorf("got %d, %d, %s, %s; want %d, %d, %s, %s", f.Seq(), f.Kind(), f.Time(), f.Data(), testID.Seq, tt.kind, testTime, tt.want)
		}
	}
}

func TestRetractedID(t *testing.T) {
	if id, err := stream.RetractedID(stream.RetractData(testID)); err != nil || id != testID {
		t.Errorf("got %v, %v; want %v", id, err, testID)
	}
	for _, data := range []string{"", "{}", `{"id":"x"}`, `{"id":"k3v9-1"} `, `{"id":"k3v9-1","a":"k3v9-1"}`} {
		if id, err := stream.RetractedID([]byte(data)); err == nil {
			t.Errorf("%q retracts %v", data, id)
		}
	}
}

func TestFrameLeavesItsDataAlone(t *testing.T) {
	data := []byte("{\n}        ")
	newFrame(testID, stream.Announce, data)
	if string(data) != "{\n}        " {
		t.Errorf("data became %q", data)
	}
}

// TestFrameAllocatesOnce would catch an estimate of the size that is too small: the frame and its bytes are two allocations.
func TestFrameAllocatesOnce(t *testing.T) {
	for _, seq := range []uint64{0, 9, 10, 99, 100, math.MaxInt64, math.MaxUint64} {
		for _, kind := range []stream.Kind{stream.Announce, stream.Retract} {
			if got := testing.AllocsPerRun(10, func() { newFrame(stream.ID{"k3v9", seq}, kind, []byte("{}")) }); got > 2 {
				t.Errorf("frame %d of kind %d: %v allocations", seq, kind, got)
			}
		}
	}
}

func TestLargestDataFits(t *testing.T) {
	longest := stream.ID{Epoch: strings.Repeat("z", 16), Seq: math.MaxUint64}
	for _, kind := range []stream.Kind{stream.Announce, stream.Retract} {
		if n := len(newFrame(longest, kind, append(make([]byte, stream.MaxData-1), '}')).Bytes()); n > stream.MaxFrame {
			t.Errorf("kind %d: got a frame of %d bytes; want at most %d", kind, n, stream.MaxFrame)
		}
	}
	for _, why := range []stream.Reason{stream.Expired, stream.EpochChanged, stream.Ahead, stream.Malformed} {
		if n := len(stream.ReadyFrame(longest, stream.Gap, why, testTime, math.MaxInt64)); n > 192 {
			t.Errorf("%s: got a ready frame of %d bytes; want at most 192, for one allocation", why, n)
		}
	}
}

// A connection that is cut at any byte, and resumed from the last id its reader had, delivers every
// event once: were the id before the data, a cut between the two would lose an event.
func TestCutAtEveryByteLosesNothing(t *testing.T) {
	const first, last = 1041, 1043
	connect := func(lastID string) string {
		from, err := stream.ParseID(lastID)
		if err != nil {
			t.Fatalf("resumed from %q: %v", lastID, err)
		}
		var b strings.Builder
		b.Write(stream.ReadyFrame(from, stream.Complete, "", testTime, time.Second))
		b.WriteString(stream.Heartbeat)
		for seq := max(from.Seq+1, first); seq <= last; seq++ {
			data := signup.Signup{UserName: "Adé 😀", ImgPath: "default", OfferName: ":\u2028"}.Data()
			b.Write(newFrame(stream.ID{"k3v9", seq}, stream.Announce, data).Bytes())
			b.WriteString(stream.Heartbeat)
		}
		b.Write(stream.BusyFrame(time.Second))
		return b.String()
	}
	want := []string{"k3v9-1041", "k3v9-1042", "k3v9-1043"}
	for cut := range len(connect("k3v9-1040")) + 1 {
		reader := ssetest.NewReader(strings.NewReader(connect("k3v9-1040")[:cut]), "k3v9-1040")
		events := reader.All()
		reader.Reset(strings.NewReader(connect(reader.LastID)))
		events = append(events, reader.All()...)
		var got []string
		for _, e := range events {
			if e.Kind == "signup" {
				got = append(got, e.ID)
			}
		}
		if !slices.Equal(got, want) || reader.LastID != "k3v9-1043" {
			t.Fatalf("cut at byte %d: got %q, then %q; want %q", cut, got, reader.LastID, want)
		}
	}
}

// FuzzSignup posts any texts: an accepted signup is one event, which carries exactly its texts, and
// nothing else reaches the stream.
func FuzzSignup(f *testing.F) {
	f.Add("Ada", "Spring Sale", "/ada.png", "London", "https://example.com/", "order", uint64(1))
	f.Add(" : data: x\r\nid: 7\nretry: 1\n\nevent: y", "\u2028\u2029", "default", "\"\\", "/\\", "signup", uint64(math.MaxInt64))
	f.Add("\u200d\u0301", "\u200b", "https:///x", "\xed\xa0\x80", "https://a@b", "Order", uint64(0))
	f.Add("", " ", "", "", "", "order\nid: 7", uint64(2))
	f.Add("a\tb", "\ufffd", "https://[::1]:8443", "\U0001f600", "/%2f", " ", uint64(9))
	f.Fuzz(func(t *testing.T, user, offer, img, place, url, kind string, seq uint64) {
		s, err := signup.New(signup.Fields{"user_name": user, "offer_name": offer, "img_path": img, "place": place, "url": url, "kind": kind})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("error of several lines: %q", err)
			}
			return
		}
		texts := map[string]string{
			"user_name": s.UserName, "offer_name": s.OfferName, "img_path": s.ImgPath, "place": s.Place, "url": s.URL, "kind": s.Kind,
		}
		again, err := signup.New(texts)
		again.UserNameBlank, again.OfferNameBlank = s.UserNameBlank, s.OfferNameBlank
		if err != nil || again != s {
			t.Errorf("%+v was accepted, but checked again it is %+v, %v", s, again, err)
		}
		checkSignupFrame(t, s, texts, seq)
	})
}

// checkSignupFrame checks that the frame of a signup has the size that it may have, and carries exactly the texts and the
// list of blank fields.
func checkSignupFrame(t *testing.T, s signup.Signup, texts map[string]string, seq uint64) {
	t.Helper()
	data := s.Data()
	frame := newFrame(stream.ID{"k3v9", seq}, stream.Announce, data).Bytes()
	if len(data) > stream.MaxData || len(frame) > stream.MaxFrame {
		t.Errorf("data of %d, frame of %d bytes", len(data), len(frame))
	}
	got := oneEvent(t, frame)
	want := event{"signup", strings.TrimSuffix(string(data), "}") + "," + testAt + "}", stream.ID{"k3v9", seq}.String()}
	if got != want {
		t.Fatalf("got %q; want %q", got, want)
	}
	var read map[string]any
	if err := json.Unmarshal([]byte(got.data), &read); err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		if came, given := read[name]; given != (text != "") || given && came != text {
			t.Errorf("%s: got %q; want %q", name, came, text)
		}
	}
	var blank []any
	if s.UserNameBlank {
		blank = append(blank, "user_name")
	}
	if s.OfferNameBlank {
		blank = append(blank, "offer_name")
	}
	if got, _ := read["blank"].([]any); !slices.Equal(got, blank) {
		t.Errorf("got blank %q; want %q", got, blank)
	}
}

// FuzzFrame frames any data, as a foreign writer to the log might leave it: still one event, and
// the same JSON.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("{\n\"a\": 1\r\n}"), true)
	f.Add([]byte("\n\nid: 7\n\nevent: x\rdata: \xff"), false)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, data []byte, retract bool) {
		kind, name := stream.Announce, "signup"
		if retract {
			kind, name = stream.Retract, "retract"
		}
		frame := newFrame(testID, kind, data)
		got := oneEvent(t, frame.Bytes())
		oneLine := strings.NewReplacer("\r", " ", "\n", " ").Replace(string([]rune(string(data))))
		if object, ok := strings.CutSuffix(strings.TrimRight(oneLine, " "), "}"); ok && !retract {
			if !strings.HasSuffix(strings.TrimRight(object, " \t"), "{") {
				object += ","
			}
			oneLine = object + testAt + "}"
		}
		if want := (event{name, oneLine, testID.String()}); got != want {
			t.Fatalf("got %q; want %q", got, want)
		}
		var object map[string]any
		if json.Unmarshal(data, &object) == nil && object != nil && !json.Valid(frame.Data()) {
			t.Errorf("valid JSON %q became %q", data, frame.Data())
		}
	})
}

// event is what a browser makes of a frame.
type event struct{ kind, data, id string }

// oneEvent reads a frame and requires that it is one event, of just the fields that one has.
func oneEvent(t *testing.T, frame []byte) event {
	t.Helper()
	reader := ssetest.NewReader(bytes.NewReader(frame), "")
	events := reader.All()
	if len(events) != 1 || !slices.Equal(reader.Fields, []string{"event", "data", "id"}) || reader.Retry != 0 {
		t.Fatalf("got %d events of fields %q in %q", len(events), reader.Fields, frame)
	}
	for cut := range min(len(frame), 300) {
		if reader := ssetest.NewReader(bytes.NewReader(frame[:cut]), ""); len(reader.All()) != 0 || reader.LastID != "" {
			t.Fatalf("got an event from the first %d bytes of %q", cut, frame)
		}
	}
	return event{events[0].Kind, events[0].Data, events[0].ID}
}
