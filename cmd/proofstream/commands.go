package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
)

// command is what the first argument of the program can ask for.
type command struct {
	name, args  string
	least, most int // arguments after the name
	does        string
	run         func(ctx context.Context, c invocation) error
}

// invocation is the world of a command.
type invocation struct {
	args           []string // after the command's name
	environ        []string // as os.Environ gives it
	stdout, stderr io.Writer
}

// commands returns all but the service itself, which runs without an argument.
func commands() []command {
	return []command{
		{"backup", "FILE", 1, 1, "a consistent copy of the embedded event log, also while the service runs", backup},
		{"export", "[SITE]", 0, 1, "all kept signups of a site, oldest first, one JSON object a line", export},
		{"version", "", 0, 0, "version, revision, Go version", version},
		{"help", "", 0, 0, "this text, as do -h and --help", help},
	}
}

// execute does what the arguments ask for and returns the exit status: 2 for arguments or a configuration
// that cannot be used, 1 for any other error.
func execute(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	do, c := serve, invocation{environ: environ, stdout: stdout, stderr: stderr}
	if len(args) > 0 {
		found, ok := findCommand(args)
		if !ok {
			usage(stderr)
			return 2
		}
		do, c.args = found.run, args[1:]
	}
	if err := do(ctx, c); err != nil {
		fmt.Fprintln(stderr, "proofstream:", err)
		return exitStatus(err)
	}
	return 0
}

// findCommand returns the command that the arguments begin with; ok is false when there is none that
// takes them.
func findCommand(args []string) (found command, ok bool) {
	name, n := args[0], len(args)-1
	if name == "-h" || name == "--help" {
		name = "help"
	}
	all := commands()
	i := slices.IndexFunc(all, func(c command) bool { return c.name == name && c.least <= n && n <= c.most })
	if i < 0 {
		return command{}, false
	}
	return all[i], true
}

// errUnknownSite: export was asked for a site that is neither configured nor in the log.
var errUnknownSite = errors.New("unknown site")

func exitStatus(err error) int {
	var config *ConfigError
	if errors.As(err, &config) || errors.Is(err, errUnknownSite) {
		return 2
	}
	return 1
}

func serve(ctx context.Context, c invocation) error { return run(ctx, c.environ, c.stderr, nil) }

func version(_ context.Context, c invocation) error {
	b := thisBuild()
	_, err := fmt.Fprintf(c.stdout, "proofstream %s, revision %s, %s\n", b.Version, cmp.Or(b.Revision, "unknown"), runtime.Version())
	return err
}

func help(_ context.Context, c invocation) error {
	usage(c.stdout)
	return nil
}

func usage(w io.Writer) {
	fmt.Fprintf(w, "%-28s %s\n", "proofstream", "runs the service")
	for _, c := range commands() {
		fmt.Fprintf(w, "%-28s %s\n", "proofstream "+c.name+" "+c.args, c.does)
	}
	fmt.Fprintln(w, "\nEverything else is configured by environment variables; .env.example lists them.")
}
