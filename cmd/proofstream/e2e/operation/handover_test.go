package operation

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
)

// A second process on the data directory, as in a rolling update on one volume, waits, logs for what, and takes over when the first has
// ended; three times in a row, while backends post without pause and retry, and subscribers resume. Each subscriber has every acknowledged
// event once, in order, and gets no gap.
func TestSecondProcessTakesOver(t *testing.T) {
	p := e2e.Start(t, "PROOF_SHUTDOWN_GRACE=20s", "PROOF_RETAIN=100000")
	l := e2e.StartLoad(t, p.Server, 10, 4, 5*time.Millisecond)
	for range 3 {
		l.AwaitMore(20)
		next := e2e.Launch(t, append(p.Env, "PROOF_DATA_DIR="+p.Dir, "PROOF_ADDR="+strings.TrimPrefix(p.URL, "http://"))...)
		if line := next.AwaitLog("waiting for"); !strings.Contains(line, p.Dir) {
			t.Errorf("got log line %s, want the directory in it", line)
		}
		l.AwaitMore(20)
		p.Stop()
		next.AwaitLog("serving url=")
		next.URL, p = p.URL, next
	}
	l.AwaitMore(20)
	l.Stop()
	var stats struct{ Events int }
	if err := json.Unmarshal([]byte(p.Get(t, "/stats").Body), &stats); err != nil {
		t.Fatal(err)
	}
	l.Finish(stats.Events).Check(t, l)
	for _, s := range l.Sources {
		if n := len(e2e.OfKind(s.Received(), "ready")); n < 4 {
			t.Errorf("a subscriber opened %d streams, want one of each process", n)
		}
	}
}
