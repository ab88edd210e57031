package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows are the only imports between the rooms, and from them to other modules: the domain knows no
// transport, an adapter only what it adapts, and the command alone knows all.
var arrows = map[string][]string{
	"proofstream/stream":           {},
	"proofstream/stream/hostname":  {},
	"proofstream/stream/signup":    {"proofstream/stream/hostname"},
	"proofstream/stream/registry":  {"proofstream/stream"},
	"proofstream/stream/sqlitelog": {"proofstream/stream", "modernc.org/sqlite"},
	"proofstream/stream/natslog":   {"proofstream/stream", "github.com/nats-io/nats.go"},
	"proofstream/api": {
		"proofstream/api/auth", "proofstream/api/decode", "proofstream/api/origin", "proofstream/api/sse", "proofstream/api/static",
		"proofstream/stream", "proofstream/stream/signup", "proofstream/stream/registry",
		"github.com/labstack/echo/v4", "github.com/prometheus/client_golang",
	},
	"proofstream/api/auth":   {},
	"proofstream/api/decode": {"proofstream/stream/signup", "github.com/go-json-experiment/json"},
	"proofstream/api/origin": {"proofstream/stream/hostname", "github.com/rs/cors", "golang.org/x/net"},
	"proofstream/api/sse":    {"proofstream/stream", "proofstream/stream/registry"},
	"proofstream/api/static": {"github.com/tdewolff/minify/v2"},
	"proofstream/assets":     {},
	"proofstream/cmd/proofstream": {
		"proofstream/api", "proofstream/api/origin", "proofstream/api/sse", "proofstream/assets", "proofstream/stream", "proofstream/stream/hostname",
		"proofstream/stream/registry", "proofstream/stream/natslog", "proofstream/stream/sqlitelog", "github.com/caarlos0/env/v11",
	},

	// For tests only: no program of ours contains them, nor the server of NATS.
	"proofstream/stream/waitfor":          {},
	"proofstream/stream/ssetest":          {},
	"proofstream/stream/logtest":          {"proofstream/stream", "proofstream/stream/waitfor"},
	"proofstream/stream/natslog/natstest": {"proofstream/stream/waitfor", "github.com/nats-io/nats.go"},
	"proofstream/cmd/proofstream/e2e": {
		"proofstream/stream/natslog/natstest", "proofstream/stream/ssetest", "proofstream/stream/waitfor",
		"github.com/chromedp/cdproto", "github.com/chromedp/chromedp", "github.com/nats-io/nats.go",
	},
}

// nearStandard may be used by the api and the commands as they need.
var nearStandard = []string{"golang.org/x/sync", "golang.org/x/sys", "golang.org/x/time", "golang.org/x/crypto"}

func TestRoomsImportOnlyAlongTheArrows(t *testing.T) {
	modules := modulesOfPackages(t)
	for room, imports := range importsOfRooms(t) {
		var used []string
		for _, path := range imports {
			to := modules[path]
			if to == "proofstream" {
				to = path
			}
			free := strings.Contains(room, "/api") || strings.Contains(room, "/cmd/")
			if to != "" && !(free && slices.Contains(nearStandard, to)) {
				used = append(used, to)
			}
		}
		slices.Sort(used)
		used = slices.Compact(used)
		if room == "proofstream/cmd/loadgen" { // measures from outside: any library, nothing of ours
			used = slices.DeleteFunc(used, func(to string) bool { return !strings.HasPrefix(to, "proofstream") })
		}
		want := slices.Sorted(slices.Values(arrows[room]))
		if !slices.Equal(used, want) {
			t.Errorf("%s imports\n%q, want\n%q", room, used, want)
		}
	}
}

// Programs contain nothing that is for tests only.
func TestProgramsContainNoTestPackage(t *testing.T) {
	for path := range strings.FieldsSeq(goList(t, "-deps", "proofstream/cmd/proofstream", "proofstream/cmd/loadgen")) {
		switch path {
		case "testing", "proofstream/stream/waitfor", "proofstream/stream/ssetest", "proofstream/stream/logtest",
			"proofstream/stream/natslog/natstest", "proofstream/cmd/proofstream/e2e", "github.com/nats-io/nats-server/v2/server":
			t.Errorf("a program contains %s", path)
		}
	}
}

// importsOfRooms returns what each package of ours imports outside of its tests.
func importsOfRooms(t *testing.T) map[string][]string {
	rooms := map[string][]string{}
	for line := range strings.Lines(goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "proofstream/...")) {
		words := strings.Fields(line)
		rooms[words[0]] = words[1:]
	}
	for room := range arrows {
		if _, ok := rooms[room]; !ok {
			t.Errorf("there is no %s", room)
		}
	}
	return rooms
}

// modulesOfPackages returns the module of each package that ours depend on, "" for the standard library's.
func modulesOfPackages(t *testing.T) map[string]string {
	modules := map[string]string{}
	for line := range strings.Lines(goList(t, "-deps", "-f", `{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}`, "proofstream/...")) {
		path, module, _ := strings.Cut(strings.TrimSpace(line), " ")
		modules[path] = module
	}
	return modules
}

func goList(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return string(out)
}
