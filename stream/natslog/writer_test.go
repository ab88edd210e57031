package natslog

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"proofstream/stream"
)

// plan is what a writing process is to do; it finds it in its environment, as JSON under writerPlan.
type plan struct {
	Dir    string
	Fsync  time.Duration
	Name   string        // what its events begin with
	Events int           // by each of its writers
	Size   int           // of the largest event
	Pause  time.Duration // of each writer after an event
	Erase  bool          // now and then
	Close  bool          // the log at the end
}

const (
	writerPlan = "PROOF_TEST_WRITER_PLAN"
	writers    = 4
)

// payloadOf returns the event with a text, "NAME/WRITER/NUMBER;", whose length follows from the text.
func payloadOf(text string, size int) []byte {
	sum := 0
	for _, c := range []byte(text) {
		sum = sum*31 + int(c)
	}
	return []byte(text + strings.Repeat("proof.", sum%max(size/6, 1)))
}

// writeAsPlanned appends and tells on stdout, one line a write: "+ SEQ ID TEXT" when acknowledged, "? SEQ TEXT"
// before and "- SEQ TEXT" after an erasure, "! WHY" when refused. What is refused is tried again with its key. It
// ends when its input does.
func writeAsPlanned(text string) {
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		panic(err)
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	l, err := Open(context.Background(), Options{Dir: p.Dir, Fsync: p.Fsync, Retain: 1e6, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println("!", err)
		os.Exit(1)
	}
	go l.Run(context.Background())
	fmt.Println("open", os.Getpid())
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range p.Events {
				p.write(l, fmt.Sprintf("%s/%d/%d;", p.Name, w, i), p.Erase && w == 0 && i%200 == 20)
				time.Sleep(p.Pause)
			}
		})
	}
	wg.Wait()
	if p.Close {
		if err := l.Close(); err != nil {
			fmt.Println("!", err)
		}
	}
	fmt.Println("done")
	select {}
}

func (p plan) write(l *Log, text string, erase bool) {
	d := stream.Draft{Site: "a", Key: text, Data: payloadOf(text, p.Size)}
	seq, _, err := l.Append(context.Background(), d)
	for ; err != nil; seq, _, err = l.Append(context.Background(), d) {
		fmt.Println("!", err)
		time.Sleep(20 * time.Millisecond)
	}
	fmt.Printf("+ %d %s %s\n", seq, l.Chain().ID(seq), text)
	if !erase {
		return
	}
	fmt.Printf("? %d %s\n", seq, text)
	if err := l.Erase(context.Background(), seq); err != nil {
		fmt.Println("!", err)
		return
	}
	fmt.Printf("- %d %s\n", seq, text)
}
