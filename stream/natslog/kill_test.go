package natslog

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
	}
	os.Exit(m.Run())
}

// writeUntilKilled opens the log in dir and appends as fast as it can, telling "SEQ TEXT" on stdout
// after each acknowledgement. Every third event has a key.
func writeUntilKilled(dir string) {
	l, err := Open(context.Background(), Options{Dir: dir, Retain: 1e6, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println("!", err)
		return
	}
	go l.Run(context.Background())
	fmt.Println("epoch", l.newest())
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				d := draft(fmt.Sprintf("%s/%d/%d;", l.newest(), w, i), i)
				seq, _, err := l.Append(context.Background(), d)
				if err != nil {
					fmt.Println("!", err)
					return
				}
				fmt.Printf("%d %s\n", seq, d.Data)
			}
		})
	}
	wg.Wait()
}

func draft(text string, i int) stream.Draft {
	d := stream.Draft{Site: fmt.Sprintf("s%d", i%3), Kind: stream.Kind(i % 2), Data: []byte(text)}
	if i%3 == 0 {
		d.Key = text
	}
	return d
}

// runWriter lets a writer run until it is killed at a random instant, also while it starts, or,
// where busy is set, after a random number of acknowledgements: a slow machine proves as much. It
// returns what the writer was acknowledged, by sequence.
func runWriter(t *testing.T, dir string, busy bool) map[uint64]string {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	patience, enough := time.Duration(rand.IntN(600))*time.Millisecond, -1
	if busy {
		patience, enough = time.Minute, 20+rand.IntN(200)
	}
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	acknowledged := map[uint64]string{}
	for s := bufio.NewScanner(out); s.Scan(); {
		first, text, _ := strings.Cut(s.Text(), " ")
		switch {
		case first == "!":
			t.Errorf("writer: %s", text)
		case first != "epoch" && strings.HasSuffix(text, ";"): // not a line cut by the kill
			var seq uint64
			fmt.Sscan(first, &seq)
			if other, ok := acknowledged[seq]; ok {
				t.Errorf("%d was given to %s and to %s", seq, other, text)
			}
			acknowledged[seq] = text
		}
		if len(acknowledged) == enough {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	return acknowledged
}

// TestKilledWritersLoseNothing kills writing processes at random instants: what was acknowledged is
// in the log exactly once, under its sequence, with its cursor valid, and a retry with the key of any
// of them makes no second event.
func TestKilledWritersLoseNothing(t *testing.T) {
	rounds := 10
	if os.Getenv("PROOF_TEST_LONG") != "" {
		rounds = 200
	}
	dir := t.TempDir()
	all := map[uint64]string{}
	names := map[uint64]stream.ID{}
	checked := uint64(0)
	for round := range rounds {
		for seq, text := range runWriter(t, dir, round%2 == 1) {
			if other, ok := all[seq]; ok {
				t.Errorf("%d was given to %s, and now to %s", seq, other, text)
			}
			all[seq] = text
		}
		l := opened(t, Options{Dir: dir, Retain: 1e6})
		if d := l.Damage(); len(d) > 0 {
			t.Errorf("round %d: a kill was taken for damage: %v", round, d)
		}
		if round == rounds-1 {
			checked = 0
		}
		checked = checkKept(t, l, all, names, checked)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < rounds*10 {
		t.Errorf("only %d events were acknowledged: this proved little", len(all))
	}
	t.Logf("%d kills, %d events acknowledged", rounds, len(all))
}

// checkKept checks what was acknowledged after a sequence, and returns how far the log goes.
func checkKept(t *testing.T, l *Log, all map[uint64]string, names map[uint64]stream.ID, from uint64) uint64 {
	t.Helper()
	state, err := l.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept, once := map[uint64]string{}, map[string]bool{}
	for after := from; after < state.Last; {
		for e, err := range l.Follow(t.Context(), after) {
			if err != nil {
				t.Fatal(err)
			}
			if kept[e.Seq] = string(e.Data); once[string(e.Data)] {
				t.Errorf("%s is in the log twice", e.Data)
			}
			once[string(e.Data)] = true
			if after = e.Seq; e.Pending == 0 {
				break
			}
		}
	}
	retried := 0
	for seq, text := range all {
		if seq > from && kept[seq] != text {
			t.Errorf("%d is %q, was acknowledged as %q", seq, kept[seq], text)
		}
		id := l.Chain().ID(seq)
		if was, ok := names[seq]; ok && was != id {
			t.Errorf("event %v is now %v", was, id)
		}
		if names[seq] = id; l.Chain().Locate(id, state.Last) != "" {
			t.Errorf("cursor %v is %q", id, l.Chain().Locate(id, state.Last))
		}
		if d := draft(text, lastNumber(text)); d.Key != "" && retried < 20 {
			if again, duplicate, err := l.Append(t.Context(), d); again != seq || !duplicate || err != nil {
				t.Errorf("retry of %d: %d, duplicate %v, %v", seq, again, duplicate, err)
			}
			retried++
		}
	}
	return state.Last
}

func lastNumber(text string) (n int) {
	fmt.Sscan(text[strings.LastIndex(text, "/")+1:], &n)
	return n
}
