package sqlitelog

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"proofstream/stream"
)

const writerDir = "PROOF_TEST_WRITER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerDir); dir != "" {
		writeUntilKilled(dir)
		os.Exit(1)
	}
	if text := os.Getenv(writerPlan); text != "" {
		writeAsPlanned(text)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var (
	killSites  = []string{"s0", "s1", "s2"}
	killLimits = stream.Limits{Events: 1e6}
)

// writeUntilKilled appends as fast as it can and prints "SITE ID TEXT;" after each acknowledgement. An append that
// is refused is printed with an exclamation mark and tried again.
func writeUntilKilled(dir string) {
	l := New(Options{Dir: dir, Limits: killLimits, Logger: slog.New(slog.DiscardHandler)})
	if err := l.Open(context.Background()); err != nil {
		fmt.Println("! open:", err)
		return
	}
	go l.Run(context.Background())
	run := time.Now().UnixNano()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				text := fmt.Sprintf("w%d/%d/%d.", run, w, i)
				id, _, err := l.Append(context.Background(), killSites[i%3], killEntry(text))
				if err != nil {
					fmt.Println("! append:", err)
					time.Sleep(10 * time.Millisecond)
					continue
				}
				fmt.Printf("%s %s %s;\n", killSites[i%3], id, text)
			}
		})
	}
	wg.Wait()
}

func killEntry(text string) stream.Entry {
	e := stream.Entry{Kind: stream.Kind(len(text) % 2), Data: []byte(text)}
	if len(text)%3 > 0 {
		e.Key = text
	}
	return e
}

// acknowledged is an event as its writer was acknowledged.
type acknowledged struct{ site, text string }

// readWriter collects what a writer says it was acknowledged, until it ends or that is enough.
func readWriter(t *testing.T, out *bufio.Scanner, into map[acknowledged]stream.ID, enough int) (refused []string) {
	t.Helper()
	for n := 0; n != enough && out.Scan(); {
		line, whole := strings.CutSuffix(out.Text(), ";")
		if strings.HasPrefix(line, "!") {
			refused = append(refused, line)
			continue
		}
		f := strings.Fields(line)
		if !whole || len(f) != 3 { // cut by the kill
			continue
		}
		id, err := stream.ParseID(f[1])
		if err != nil {
			t.Errorf("writer got id %q", f[1])
		}
		into[acknowledged{f[0], f[2]}] = id
		n++
	}
	return refused
}

// killWriter runs a writer that is killed at a random instant, also while it starts, or, where busy is set, after a random
// number of acknowledgements: a slow machine proves as much.
func killWriter(t *testing.T, dir string, busy bool, into map[acknowledged]stream.ID) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	patience, enough := time.Duration(rand.IntN(400))*time.Millisecond, -1
	if busy {
		patience, enough = time.Minute, 20+rand.IntN(200)
	}
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	scanner := bufio.NewScanner(out)
	refused := readWriter(t, scanner, into, enough)
	cmd.Process.Kill()
	refused = append(refused, readWriter(t, scanner, into, -1)...)
	cmd.Wait()
	if len(refused) > 0 {
		t.Errorf("writer was refused: %v", refused)
	}
}

// TestKilledWritersLoseNothing kills writing processes at random instants: what was acknowledged is in the log exactly
// once, under its id, and a retry with its key makes no second event.
func TestKilledWritersLoseNothing(t *testing.T) {
	rounds := 10
	if os.Getenv("PROOF_TEST_LONG") != "" {
		rounds = 200
	}
	dir := t.TempDir()
	all := map[acknowledged]stream.ID{}
	for round := range rounds {
		killWriter(t, dir, round%2 == 1, all)
		if round%10 != 9 && round%3 > 0 { // most kills come upon what an earlier one has left
			continue
		}
		l := run(t, Options{Dir: dir, Limits: killLimits})
		if n := l.Damage(); n > 0 {
			t.Errorf("round %d: a kill was taken for damage", round)
		}
		checkAcknowledged(t, l, all)
		l.stop()
	}
	if len(all) < rounds*10 {
		t.Errorf("only %d events were acknowledged: this proved little", len(all))
	}
	t.Logf("%d kills, %d events acknowledged", rounds, len(all))
}

func checkAcknowledged(t *testing.T, l stream.Log, all map[acknowledged]stream.ID) {
	t.Helper()
	kept := map[acknowledged]stream.ID{}
	for _, site := range killSites {
		for after := uint64(0); ; {
			page, _, err := l.Read(t.Context(), site, after, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page {
				a := acknowledged{site, string(e.Data)}
				if _, twice := kept[a]; twice {
					t.Errorf("%v is in the log twice", a)
				}
				kept[a], after = e.ID, e.ID.Seq
			}
			if len(page) < 1000 {
				break
			}
		}
	}
	retried := 0
	for a, id := range all {
		if kept[a] != id {
			t.Errorf("%v was acknowledged as %v, is %v in the log", a, id, kept[a])
		}
		if why, _ := mustBounds(t, l, a.site).Check(id); why != "" {
			t.Errorf("cursor %v gets %q", id, why)
		}
		if e := killEntry(a.text); e.Key != "" && retried < 20 {
			retried++
			if again, duplicate, err := l.Append(t.Context(), a.site, e); again != id || !duplicate || err != nil {
				t.Errorf("retry of %v: %v, duplicate %v, %v; want %v", a, again, duplicate, err, id)
			}
		}
	}
}
