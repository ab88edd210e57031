package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// options is what the command line says.
type options struct {
	url, key, site, label, json string
	subscribers, events, burst  int
	publishers, posts, behind   int
	rate, churn                 float64
	postsFor, churnFor          time.Duration
	settle, wait                time.Duration
	phases                      []string
	pids                        []int
	quiet                       bool

	floor   string // serve the floor here instead
	plot    string // draw the reports into this file instead
	compare bool   // print the reports side by side instead
	reports []string
}

const usageText = `loadgen measures a proofstream installation from outside, over HTTP, and audits for every
subscriber that each event arrived once and in order.

  loadgen -url http://localhost:6009 -key KEY -subscribers 10000 -pid $(pidof proofstream)
  loadgen -floor 127.0.0.1:7000                    serve the bare write(2) loop to compare with
  loadgen -compare floor-*.json proofstream-*.json medians and ratios to the first label
  loadgen -plot costs.svg proofstream-*.json       latency and memory as a picture

It posts real events: point it at a site of its own, not at one with visitors. The server must not
limit its rate (PROOF_RATE_LIMIT=0). Phases run in the order given:

  connect  all subscribers at once, until each is ready; then memory of the idle ones
  paced    -events at -rate per second, whatever the server does; latency from the intended time
  burst    -burst posts back to back, each awaiting its answer
  posts    -publishers at once: -posts of them, or for -posts-for while nobody is connected
  resume   all leave, -behind events are posted, all come back with their last id
  churn    paced for -churn-for while -churn percent a minute reconnect
  drop     all leave; how long until the server has noticed

Flags:
`

// parseOptions reads the command line. Every error says what to do.
func parseOptions(args []string, getenv func(string) string, stderr io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("loadgen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usageText); flags.PrintDefaults() }
	var phases, pids string
	o.register(flags, &phases, &pids)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	o.reports = flags.Args()
	if o.key == "" {
		o.key = getenv("LOADGEN_KEY")
	}
	o.phases = strings.FieldsFunc(phases, func(r rune) bool { return r == ',' || r == ' ' })
	if err := o.check(); err != nil {
		return nil, err
	}
	var err error
	o.pids, err = parsePIDs(pids)
	return o, err
}

func (o *options) register(f *flag.FlagSet, phases, pids *string) {
	f.StringVar(&o.url, "url", "http://localhost:6009", "`address` of the installation")
	f.StringVar(&o.key, "key", "", "API `key` of the site; LOADGEN_KEY keeps it out of the process list")
	f.StringVar(&o.site, "site", "default", "site of the key")
	f.IntVar(&o.subscribers, "subscribers", 1000, "open streams; as many as the descriptor limit allows at most")
	f.IntVar(&o.events, "events", 20, "events of the paced phase")
	f.Float64Var(&o.rate, "rate", 5, "events per second, paced and during churn")
	f.IntVar(&o.burst, "burst", 100, "posts of the burst phase")
	f.IntVar(&o.publishers, "publishers", 16, "connections that post at once")
	f.IntVar(&o.posts, "posts", 500, "posts of the posts phase while subscribers are connected")
	f.DurationVar(&o.postsFor, "posts-for", 3*time.Second, "length of the posts phase while none is")
	f.IntVar(&o.behind, "behind", 20, "events that everybody has missed at a resume")
	f.Float64Var(&o.churn, "churn", 100, "percent of the subscribers that reconnect in a minute of churn")
	f.DurationVar(&o.churnFor, "churn-for", 10*time.Second, "length of the churn phase")
	f.DurationVar(&o.settle, "settle", 2*time.Second, "pause before memory of the idle is read")
	f.DurationVar(&o.wait, "wait", 30*time.Second, "longest wait for what is still to come, per phase")
	f.StringVar(phases, "phases", "connect,paced,burst,posts,resume,churn,drop,posts", "what to do, in this order")
	f.StringVar(pids, "pid", "", "process `ids` of the server on this machine, to measure CPU and memory")
	f.StringVar(&o.label, "label", "", "name of this run in comparisons and plots")
	f.StringVar(&o.json, "json", "", "write the report to this `file`; - is standard output, instead of the table")
	f.BoolVar(&o.quiet, "quiet", false, "no progress on standard error")
	f.StringVar(&o.floor, "floor", "", "serve the bare write(2) loop on this `address`, until interrupted")
	f.StringVar(&o.plot, "plot", "", "draw the given reports into this SVG `file`")
	f.BoolVar(&o.compare, "compare", false, "print medians of the given reports side by side")
}

func (o *options) check() error {
	if o.floor != "" {
		return nil
	}
	if o.plot != "" || o.compare {
		if len(o.reports) == 0 {
			return errors.New("name the reports to read, as written with -json")
		}
		return nil
	}
	if len(o.reports) > 0 {
		return fmt.Errorf("%q is not a flag; reports are read with -compare or -plot", o.reports[0])
	}
	for _, name := range o.phases {
		if _, ok := phases[name]; !ok {
			return fmt.Errorf("-phases: no phase is called %q; there are %s", name, strings.Join(phaseNames(), ", "))
		}
	}
	if len(o.phases) == 0 {
		return fmt.Errorf("-phases is empty; choose from %s", strings.Join(phaseNames(), ", "))
	}
	if o.key == "" && !slices.Equal(o.phases, []string{phaseConnect}) {
		return errors.New("posting needs a key of the installation: pass -key, or set LOADGEN_KEY")
	}
	return o.checkNumbers()
}

func (o *options) checkNumbers() error {
	for name, n := range map[string]float64{
		"subscribers": float64(o.subscribers), "events": float64(o.events), "rate": o.rate, "burst": float64(o.burst),
		"publishers": float64(o.publishers), "posts": float64(o.posts), "posts-for": o.postsFor.Seconds(),
		"behind": float64(o.behind), "churn": o.churn, "churn-for": o.churnFor.Seconds(), "wait": o.wait.Seconds(),
	} {
		if n <= 0 {
			return fmt.Errorf("-%s must be more than 0", name)
		}
	}
	if o.publishers > maxLanes {
		return fmt.Errorf("-publishers %d: at most %d", o.publishers, maxLanes)
	}
	return nil
}
