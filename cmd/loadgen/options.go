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

// options is the parsed command line. register documents the fields.
type options struct {
	url, key, site, label      string
	json, svg                  string
	subscribers, events, burst int
	publishers, posts, missed  int
	rate, churn                float64
	postsFor, churnFor         time.Duration
	idleFor, wait              time.Duration
	phases                     []string
	pids                       []int
	quiet                      bool

	floor   string   // if set, only serve the floor
	compare bool     // only compare reports
	reports []string // files to compare
}

const usageText = `loadgen measures a proofstream installation over HTTP and audits that every subscriber receives
each event once and in order.

  loadgen -url http://localhost:6009 -key KEY -subscribers 10000 -pid $(pidof proofstream)
  loadgen -floor 127.0.0.1:7000                    serve the bare write(2) loop to compare with
  loadgen -compare floor-*.json proofstream-*.json print medians, and ratios to the first label

loadgen posts real events: use a site of its own, not one with visitors. The server must not limit
the rate (PROOF_RATE_LIMIT=0). Ctrl-C ends the run with a report of what was measured so far; a
second one ends it at once. Exit status: 0 without violations, 1 with violations or after a failure
or an interrupt, 2 for a wrong command line. The phases run in the given order:

  connect  connect all subscribers at once until each is ready; then measure memory while idle
  paced    post -events at -rate per second (open loop); latency counts from the time an event is due
  burst    post -burst events from one publisher, each after the response to the one before
  posts    post from all publishers: -posts events, or for -posts-for if no subscriber is connected
  resume   disconnect all, post -missed events, reconnect all with their last id
  churn    paced for -churn-for while -churn percent of the subscribers reconnect per minute
  drop     disconnect all; measure the time until the server reports no subscriber

Flags:
`

// parseOptions parses and checks the command line. It returns flag.ErrHelp after printing the usage.
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
	if o.pids, err = parsePIDs(pids); err != nil {
		return nil, err
	}
	return o, errors.Join(checkWritable("json", o.json), checkWritable("svg", o.svg))
}

func (o *options) register(f *flag.FlagSet, phases, pids *string) {
	f.StringVar(&o.url, "url", "http://localhost:6009", "`address` of the installation")
	f.StringVar(&o.key, "key", "", "API `key` of the site; LOADGEN_KEY keeps it out of the process list")
	f.StringVar(&o.site, "site", "default", "site of the key")
	f.IntVar(&o.subscribers, "subscribers", 1000, "streams to open; the descriptor limit caps them")
	f.IntVar(&o.events, "events", 20, "events of the paced phase")
	f.Float64Var(&o.rate, "rate", 5, "events per second of the paced and churn phases")
	f.IntVar(&o.burst, "burst", 100, "posts of the burst phase")
	f.IntVar(&o.publishers, "publishers", 16, "connections that post concurrently")
	f.IntVar(&o.posts, "posts", 500, "posts of the posts phase while subscribers are connected")
	f.DurationVar(&o.postsFor, "posts-for", 3*time.Second, "length of the posts phase while no subscriber is connected")
	f.IntVar(&o.missed, "missed", 20, "events posted while all are disconnected in the resume phase")
	f.Float64Var(&o.churn, "churn", 100, "percent of the subscribers that reconnect per minute in the churn phase")
	f.DurationVar(&o.churnFor, "churn-for", 10*time.Second, "length of the churn phase")
	f.DurationVar(&o.idleFor, "idle-for", 20*time.Second, "how long all streams stay idle in the connect phase, longer than a heartbeat, before memory is measured")
	f.DurationVar(&o.wait, "wait", 30*time.Second, "longest wait per phase for connections and events")
	f.StringVar(phases, "phases", "connect,paced,burst,posts,resume,churn,drop,posts", "phases to run, in this order")
	f.StringVar(pids, "pid", "", "process `ids` of the server on this machine, to measure CPU and memory")
	f.StringVar(&o.label, "label", "", "name of this run in comparisons")
	f.StringVar(&o.json, "json", "", "write the report to this `file`; - writes it to standard output instead of the table")
	f.StringVar(&o.svg, "svg", "", "draw the distribution of the latencies, or with -compare the ratios of the medians, in this `file`")
	f.BoolVar(&o.quiet, "quiet", false, "print no progress on standard error")
	f.StringVar(&o.floor, "floor", "", "serve the bare write(2) loop on this `address` until interrupted")
	f.BoolVar(&o.compare, "compare", false, "print medians of the given reports side by side")
}

func (o *options) check() error {
	if o.floor != "" {
		return nil
	}
	if o.svg == stdoutName {
		return errors.New("-svg - is not possible: the table is on standard output; name a file, like -svg latency.svg")
	}
	if o.compare {
		return o.checkReports()
	}
	if len(o.reports) > 0 {
		return fmt.Errorf("%q is not a flag; -compare reads reports", o.reports[0])
	}
	for _, name := range o.phases {
		if _, ok := phases[name]; !ok {
			return fmt.Errorf("-phases: there is no phase %q; choose from %s", name, strings.Join(phaseNames(), ", "))
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

func (o *options) checkReports() error {
	if len(o.reports) == 0 {
		return errors.New("-compare needs report files; write them with -json")
	}
	if o.json != "" {
		return errors.New("-compare writes no report; leave out -json, and redirect standard output to keep the tables")
	}
	for _, file := range o.reports {
		if strings.HasPrefix(file, "-") {
			return fmt.Errorf("%s stands behind a report; put flags before the reports", file)
		}
	}
	return nil
}

func (o *options) checkNumbers() error {
	for name, n := range map[string]float64{
		"subscribers": float64(o.subscribers), "events": float64(o.events), "rate": o.rate, "burst": float64(o.burst),
		"publishers": float64(o.publishers), "posts": float64(o.posts), "posts-for": o.postsFor.Seconds(),
		"missed": float64(o.missed), "churn": o.churn, "churn-for": o.churnFor.Seconds(), "wait": o.wait.Seconds(),
	} {
		if n <= 0 {
			return fmt.Errorf("-%s must be more than 0", name)
		}
	}
	if o.publishers > maxPublishers {
		return fmt.Errorf("-publishers %d: at most %d", o.publishers, maxPublishers)
	}
	return nil
}
