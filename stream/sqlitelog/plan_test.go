package sqlitelog

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"proofstream/stream"
)

const writerPlan = "PROOF_TEST_WRITER_PLAN"

var planSites = []string{"s0", "s1"}

// plan is what a writing process does.
type plan struct {
	Dir    string
	Name   string
	Runs   int  // how often it opens the log
	Events int  // of each publisher, in each run
	Size   int  // of an event at most
	Limit  int  // events of a site that are kept
	Erase  bool // some of them
	Die    bool // when an append is refused
}

func (p plan) options() Options {
	return Options{Dir: p.Dir, Sites: planSites, Limits: stream.Limits{Events: p.Limit}, Logger: slog.New(slog.DiscardHandler)}
}

// writeAsPlanned writes, and prints "+ SITE ID TEXT" when an event was acknowledged or a follower got it, "? SITE SEQUENCE" before
// an erasure, "- SITE SEQUENCE TEXT" after it, "! REASON" when it was refused something, and "done" at the end.
func writeAsPlanned(text string) {
	go func() {
		io.Copy(io.Discard, os.Stdin) // its end ends this process, whoever traces it
		os.Exit(1)
	}()
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		panic(err)
	}
	for run := range p.Runs {
		p.run(run)
	}
	fmt.Println("done")
}

func (p plan) run(run int) {
	o := p.options()
	o.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	l := New(o)
	for err := l.Open(context.Background()); err != nil; err = l.Open(context.Background()) {
		p.refused(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var publishers, others sync.WaitGroup
	others.Go(func() { l.Run(ctx) })
	for _, site := range planSites {
		others.Go(func() {
			for e, err := range l.Follow(ctx, site, 0) {
				if err == nil {
					fmt.Println("+", site, e.ID, textOf(e.Data))
				}
			}
		})
	}
	for n := range 4 {
		publishers.Go(func() { p.publish(l, fmt.Sprintf("run%d-publisher%d", run, n)) })
	}
	publishers.Wait()
	cancel()
	others.Wait()
	if err := l.Close(); err != nil {
		p.refused(err)
	}
}

func (p plan) refused(err error) {
	fmt.Println("!", err)
	if p.Die {
		if me, err := os.FindProcess(os.Getpid()); err == nil {
			me.Kill()
		}
	}
	time.Sleep(10 * time.Millisecond)
}

func (p plan) publish(l *Log, name string) {
	site := planSites[int(crc32.ChecksumIEEE([]byte(name)))%len(planSites)]
	var stored []stream.ID
	var texts []string
	for i := range p.Events {
		text, id := "", stream.ID{}
		for attempt := range 1000 {
			text = fmt.Sprintf("%s-%d", name, i)
			if i%3 == 0 { // without a key, a retry is another event
				text += fmt.Sprintf("-nokey%d%s", attempt, p.Name)
			}
			var err error
			if id, _, err = l.Append(context.Background(), site, p.entry(text)); err == nil {
				break
			}
			p.refused(fmt.Errorf("%w; healthy: %v", err, l.Healthy()))
		}
		fmt.Println("+", site, id, text)
		stored, texts = append(stored, id), append(texts, text)
		if p.Erase && i%10 == 9 {
			seq, text := stored[i-i%7].Seq, texts[i-i%7]
			fmt.Println("?", site, seq)
			if err := l.Erase(context.Background(), site, seq); err != nil {
				p.refused(err)
				continue
			}
			fmt.Println("-", site, seq, text)
		}
	}
}

// entry returns the event with a text, whose content follows from that.
func (p plan) entry(text string) stream.Entry {
	sum := crc32.ChecksumIEEE([]byte(text))
	e := stream.Entry{Data: []byte(text + ";" + strings.Repeat(text, p.Size)[:int(sum)%p.Size])}
	if sum%5 == 0 {
		e.Kind = stream.Retract
	}
	if !strings.Contains(text, "nokey") {
		e.Key = text
	}
	return e
}

func textOf(data []byte) string {
	text, _, _ := strings.Cut(string(data), ";")
	return text
}
