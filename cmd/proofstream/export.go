package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"slices"

	"proofstream/stream"
	"proofstream/stream/natslog"
	"proofstream/stream/sqlitelog"
)

// export writes all kept signups of a site to stdout, oldest first, as NDJSON. A line is the JSON object that the
// stream sends as data, with the id as its first member. Retractions are left out.
func export(ctx context.Context, c invocation) error {
	cfg, err := readConfig(c.environ)
	if err != nil {
		return err
	}
	site := defaultSite
	if len(c.args) > 0 {
		site = c.args[0]
	}
	if cfg.NATSURL != "" {
		return exportCluster(ctx, cfg, site, c)
	}
	return exportEmbedded(ctx, cfg, site, c.stdout)
}

// openEmbedded opens the embedded log for reading. If there is none, the error names PROOF_DATA_DIR.
func openEmbedded(cfg Config) (*sqlitelog.Reader, error) {
	reader, err := sqlitelog.OpenReader(cfg.DataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no event log in %s: set PROOF_DATA_DIR to the directory of the service", cfg.DataDir)
	}
	return reader, err
}

// exportEmbedded exports from the embedded log. The service may run meanwhile.
func exportEmbedded(ctx context.Context, cfg Config, site string, w io.Writer) error {
	reader, err := openEmbedded(cfg)
	if err != nil {
		return err
	}
	defer reader.Close()
	sites, err := reader.Sites(ctx)
	switch {
	case err != nil:
		return err
	case slices.Contains(sites, site):
	case cfg.hasSite(site):
		return nil // configured, and nothing was posted yet
	default:
		return unknownSite(site)
	}
	return writeSignups(w, func(yield func(stream.Event, error) bool) {
		for record, err := range reader.Events(ctx, site) {
			if !yield(record.Event, err) {
				return
			}
		}
	})
}

// exportCluster exports from the cluster. It waits until the cluster can be reached. It logs warnings and errors only,
// because an operator reads stderr beside the output.
func exportCluster(ctx context.Context, cfg Config, site string, c invocation) error {
	cfg.LogLevel = max(cfg.LogLevel, slog.LevelWarn)
	o := clusterOptions(cfg, newLogger(cfg, c.stderr))
	o.Sites, o.Update = nil, false // a reader changes nothing
	log := natslog.New(o)
	if err := log.Open(ctx); err != nil {
		return err
	}
	defer log.Close()
	exists, err := log.Exists(ctx, site) // reading a stream that does not exist would create it
	switch {
	case err != nil:
		return err
	case !exists && !cfg.hasSite(site):
		return unknownSite(site)
	case !exists:
		return nil
	}
	return writeSignups(c.stdout, keptEvents(ctx, log, site))
}

func unknownSite(site string) error {
	return fmt.Errorf("%w %q: neither PROOF_SITES_…_NAME nor the event log has it", errUnknownSite, site)
}

func (c Config) hasSite(name string) bool {
	return slices.ContainsFunc(c.Sites, func(s Site) bool { return s.Name == name })
}

// exportPage is the number of events that one read of the cluster's log returns at most.
const exportPage = 500

// keptEvents yields the kept events of a site, oldest first, up to the high watermark at the call.
func keptEvents(ctx context.Context, log stream.Log, site string) iter.Seq2[stream.Event, error] {
	return func(yield func(stream.Event, error) bool) {
		b, err := log.Bounds(ctx, site)
		for after := uint64(0); err == nil && after < b.High; {
			var page []stream.Event
			page, _, err = log.Read(ctx, site, after, exportPage)
			for _, ev := range page {
				if after = ev.ID.Seq; after > b.High || !yield(ev, nil) {
					return
				}
			}
			if len(page) < exportPage {
				break
			}
		}
		if err != nil {
			yield(stream.Event{}, err)
		}
	}
}

// writeSignups writes the signups among events as NDJSON.
func writeSignups(w io.Writer, events iter.Seq2[stream.Event, error]) error {
	out := bufio.NewWriter(w)
	for ev, err := range events {
		if err != nil {
			return err
		}
		if ev.Kind != stream.Announce {
			continue
		}
		f := stream.NewFrame(ev)
		if _, err := fmt.Fprintf(out, "{\"id\":%q,%s\n", f.ID(), f.Data()[1:]); err != nil { // Data is an object: [1:] drops its brace
			return err
		}
	}
	return out.Flush()
}
