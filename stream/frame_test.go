package stream

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

var testID = ID{Epoch: "k3v9", Seq: 1041}

func TestFrameBytes(t *testing.T) {
	ada := Signup{UserName: "Ada", OfferName: "Spring Sale", ImgPath: "default"}.Data(testTime)
	retry := 2731 * time.Millisecond
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"a signup", NewFrame(testID, Announce, testTime, ada).Bytes(),
			"event: signup\ndata: {\"img_path\":\"default\",\"offer_name\":\"Spring Sale\",\"user_name\":\"Ada\",\"at\":\"2026-11-21T20:02:14.501Z\"}\nid: k3v9-1041\n\n"},
		{"a retraction", NewFrame(ID{"k3v9", 1042}, Retract, testTime, RetractData(testID)).Bytes(),
			"event: retract\ndata: {\"id\":\"k3v9-1041\"}\nid: k3v9-1042\n\n"},
		{"ready and complete", ReadyFrame(testID, Complete, "", testTime, retry),
			"event: ready\nretry: 2731\ndata: {\"replay\":\"complete\",\"time\":\"2026-11-21T20:02:14.501Z\"}\nid: k3v9-1041\n\n"},
		{"ready and fresh", ReadyFrame(ID{"a", 0}, Fresh, "", testTime, retry),
			"event: ready\nretry: 2731\ndata: {\"replay\":\"fresh\",\"time\":\"2026-11-21T20:02:14.501Z\"}\nid: a-0\n\n"},
		{"ready with a gap", ReadyFrame(testID, Gap, Expired, testTime, retry),
			"event: ready\nretry: 2731\ndata: {\"replay\":\"gap\",\"reason\":\"expired\",\"time\":\"2026-11-21T20:02:14.501Z\"}\nid: k3v9-1041\n\n"},
		{"busy", BusyFrame(5 * time.Second), "event: busy\nretry: 5000\ndata: {}\n\n"},
		{"a retry that has passed", BusyFrame(-time.Second), "event: busy\nretry: 0\ndata: {}\n\n"},
		{"a heartbeat", []byte(Heartbeat), ":\n"},
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
	for kind, data := range map[Kind]string{Announce: `{"a":"\nid: "}`, Retract: `{"id":"k3v9-1"}`} {
		f := NewFrame(testID, kind, testTime, []byte(data))
		if f.Seq() != testID.Seq || f.Kind() != kind || !f.Time().Equal(testTime.Truncate(time.Millisecond)) || string(f.Data()) != data || string(f.ID()) != testID.String() {
			t.Errorf("got %d, %d, %s, %s; want %d, %d, %s, %s", f.Seq(), f.Kind(), f.Time(), f.Data(), testID.Seq, kind, testTime, data)
		}
	}
}

func TestFrameLeavesItsDataAlone(t *testing.T) {
	data := []byte("{\n}")
	NewFrame(testID, Announce, testTime, data)
	if string(data) != "{\n}" {
		t.Errorf("data became %q", data)
	}
}

func TestFrameTakesTheMemoryItNeeds(t *testing.T) {
	for _, seq := range []uint64{0, 9, 10, 99, 100, math.MaxInt64, math.MaxUint64} {
		b := NewFrame(ID{"k3v9", seq}, Announce, testTime, []byte("{}")).Bytes()
		if digits(seq) != len(b)-len("event: signup\ndata: {}\nid: k3v9-\n\n") {
			t.Errorf("%d: got %d digits in %q", seq, digits(seq), b)
		}
	}
}

func TestLargestDataFits(t *testing.T) {
	longest := ID{Epoch: strings.Repeat("z", 16), Seq: math.MaxUint64}
	for _, kind := range []Kind{Announce, Retract} {
		if n := len(NewFrame(longest, kind, testTime, make([]byte, MaxData)).Bytes()); n > MaxFrame {
			t.Errorf("kind %d: got a frame of %d bytes; want at most %d", kind, n, MaxFrame)
		}
	}
	for _, why := range []Reason{Expired, Foreign, Ahead, Malformed} {
		if n := len(ReadyFrame(longest, Gap, why, testTime, math.MaxInt64)); n > 192 {
			t.Errorf("%s: got a ready frame of %d bytes; want at most 192, for one allocation", why, n)
		}
	}
}

// A connection that is cut at any byte, and resumed from the last id its reader had, delivers every
// event once: were the id before the data, a cut between the two would lose an event.
func TestCutAtEveryByteLosesNothing(t *testing.T) {
	const first, last = 1041, 1043
	connect := func(lastID string) string {
		from, err := ParseID(lastID)
		if err != nil {
			t.Fatalf("resumed from %q: %v", lastID, err)
		}
		var b strings.Builder
		b.Write(ReadyFrame(from, Complete, "", testTime, time.Second))
		b.WriteString(Heartbeat)
		for seq := max(from.Seq+1, first); seq <= last; seq++ {
			data := Signup{UserName: "Adé 😀", ImgPath: "default", OfferName: ":\u2028"}.Data(testTime)
			b.Write(NewFrame(ID{"k3v9", seq}, Announce, testTime, data).Bytes())
			b.WriteString(Heartbeat)
		}
		b.Write(BusyFrame(time.Second))
		return b.String()
	}
	want := []string{"k3v9-1041", "k3v9-1042", "k3v9-1043"}
	for cut := range len(connect("k3v9-1040")) + 1 {
		reader := sseReader{lastID: "k3v9-1040"}
		events := reader.read(connect(reader.lastID)[:cut])
		events = append(events, reader.read(connect(reader.lastID))...)
		var got []string
		for _, e := range events {
			if e.kind == "signup" {
				got = append(got, e.lastID)
			}
		}
		if !slices.Equal(got, want) || reader.lastID != "k3v9-1043" {
			t.Fatalf("cut at byte %d: got %q, then %q; want %q", cut, got, reader.lastID, want)
		}
	}
}

// FuzzSignup posts any texts: an accepted signup is one event, which carries exactly its texts, and
// nothing else reaches the stream.
func FuzzSignup(f *testing.F) {
	f.Add("Ada", "Spring Sale", "/ada.png", "London", "https://example.com/", uint64(1))
	f.Add(" : data: x\r\nid: 7\nretry: 1\n\nevent: y", "\u2028\u2029", "default", "\"\\", "/\\", uint64(math.MaxInt64))
	f.Add("\u200d\u0301", "\u200b", "https:///x", "\xed\xa0\x80", "https://a@b", uint64(0))
	f.Add("a\tb", "\ufffd", "https://[::1]:8443", "\U0001f600", "/%2f", uint64(9))
	f.Fuzz(func(t *testing.T, user, offer, img, place, url string, seq uint64) {
		s, err := NewSignup(Fields{"user_name": user, "offer_name": offer, "img_path": img, "place": place, "url": url})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("error of several lines: %q", err)
			}
			return
		}
		for _, text := range []string{s.UserName, s.OfferName, s.Place} {
			if again, broken := checkText(text); again != text || broken != "" && text != "" {
				t.Errorf("%q was accepted, but checked again it is %q, %s", text, again, broken)
			}
		}
		data := s.Data(testTime)
		frame := NewFrame(ID{"k3v9", seq}, Announce, testTime, data).Bytes()
		if len(data) > MaxData || len(frame) > MaxFrame {
			t.Errorf("data of %d, frame of %d bytes", len(data), len(frame))
		}
		got := oneEvent(t, frame)
		want := sseEvent{kind: "signup", data: string(data), lastID: ID{"k3v9", seq}.String()}
		if got != want {
			t.Fatalf("got %q; want %q", got, want)
		}
		var read map[string]string
		if err := json.Unmarshal([]byte(got.data), &read); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"user_name": s.UserName, "offer_name": s.OfferName, "img_path": s.ImgPath, "place": s.Place, "url": s.URL,
		} {
			if came, given := read[name]; came != text || given != (text != "") {
				t.Errorf("%s: got %q; want %q", name, came, text)
			}
		}
	})
}

// FuzzFrame frames any data, as a foreign writer to the log might leave it: still one event, and
// the same JSON.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("{\n\"a\": 1\r\n}"), true)
	f.Add([]byte("\n\nid: 7\n\nevent: x\rdata: \xff"), false)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, data []byte, retract bool) {
		kind, name := Announce, "signup"
		if retract {
			kind, name = Retract, "retract"
		}
		frame := NewFrame(testID, kind, testTime, data)
		got := oneEvent(t, frame.Bytes())
		oneLine := strings.NewReplacer("\r", " ", "\n", " ").Replace(string([]rune(string(data))))
		if want := (sseEvent{kind: name, data: oneLine, lastID: testID.String()}); got != want {
			t.Fatalf("got %q; want %q", got, want)
		}
		if len(frame.Data()) != len(data) {
			t.Errorf("got data %q; want %q", frame.Data(), data)
		}
		if json.Valid(data) != json.Valid(frame.Data()) && json.Valid(data) {
			t.Errorf("valid JSON %q became %q", data, frame.Data())
		}
	})
}

// oneEvent reads a frame and requires that it is one event, of just the fields that one has.
func oneEvent(t *testing.T, frame []byte) sseEvent {
	t.Helper()
	reader := sseReader{}
	events := reader.read(string(frame))
	if len(events) != 1 || !slices.Equal(reader.fields, []string{"event", "data", "id"}) || reader.retry != 0 {
		t.Fatalf("got %d events of fields %q in %q", len(events), reader.fields, frame)
	}
	for cut := range min(len(frame), 300) {
		if reader = (sseReader{}); len(reader.read(string(frame[:cut]))) != 0 || reader.lastID != "" {
			t.Fatalf("got an event from the first %d bytes of %q", cut, frame)
		}
	}
	return events[0]
}
