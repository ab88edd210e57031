package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowedImports has the imports of each package: other packages of this module, and other modules. The domain imports no transport, an
// adapter imports only what it adapts, and only the command imports everything.
var allowedImports = map[string][]string{
	"proofstream/stream":           {},
	"proofstream/stream/hostname":  {},
	"proofstream/stream/signup":    {"proofstream/stream/hostname", "github.com/clipperhouse/uax29/v2"},
	"proofstream/stream/registry":  {"proofstream/stream"},
	"proofstream/stream/sqlitelog": {"proofstream/stream", "modernc.org/sqlite"},
	"proofstream/stream/natslog":   {"proofstream/stream", "github.com/nats-io/nats.go"},
	"proofstream/api": {
		"proofstream/api/auth", "proofstream/api/decode", "proofstream/api/hook", "proofstream/api/origin", "proofstream/api/sse", "proofstream/api/static",
		"proofstream/stream", "proofstream/stream/signup", "proofstream/stream/registry",
		"github.com/labstack/echo/v4", "github.com/prometheus/client_golang",
	},
	"proofstream/api/auth":   {},
	"proofstream/api/decode": {"proofstream/stream/signup", "github.com/go-json-experiment/json"},
	"proofstream/api/hook":   {"proofstream/stream", "proofstream/stream/signup", "github.com/go-json-experiment/json"},
	"proofstream/api/origin": {"proofstream/stream/hostname", "github.com/rs/cors", "golang.org/x/net"},
	"proofstream/api/sse":    {"proofstream/stream", "proofstream/stream/registry"},
	"proofstream/api/static": {"github.com/andybalholm/brotli", "github.com/tdewolff/minify/v2"},
	"proofstream/assets":     {},
	"proofstream/cmd/proofstream": {
		"proofstream/api", "proofstream/api/hook", "proofstream/api/origin", "proofstream/api/sse", "proofstream/assets", "proofstream/stream", "proofstream/stream/hostname",
		"proofstream/stream/registry", "proofstream/stream/natslog", "proofstream/stream/signup", "proofstream/stream/sqlitelog", "github.com/caarlos0/env/v11",
		"github.com/KimMachineGun/automemlimit",
	},

	// Only tests import these packages and the NATS server: see TestProgramsContainNoTestPackage.
	"proofstream/stream/waitfor":          {},
	"proofstream/stream/clocktest":        {},
	"proofstream/stream/ssetest":          {},
	"proofstream/api/hook/hooktest":       {},
	"proofstream/stream/logtest":          {"proofstream/stream", "proofstream/stream/waitfor"},
	"proofstream/stream/natslog/natstest": {"proofstream/stream/waitfor", "github.com/nats-io/nats.go"},
	"proofstream/cmd/proofstream/e2e": {
		"proofstream/stream/natslog/natstest", "proofstream/stream/ssetest", "proofstream/stream/waitfor",
		"github.com/chromedp/cdproto", "github.com/chromedp/chromedp", "github.com/nats-io/nats.go",
	},
}

// nearStandard are modules that packages under api and cmd may import freely.
var nearStandard = []string{"golang.org/x/sync", "golang.org/x/sys", "golang.org/x/time", "golang.org/x/crypto"}

// Each package imports exactly what allowedImports says.
func TestPackagesImportOnlyWhatIsAllowed(t *testing.T) {
	modules := moduleByPackage(t)
	for pkg, imports := range importsByPackage(t) {
		var used []string
		for _, path := range imports {
			to := modules[path]
			if to == "proofstream" {
				to = path
			}
			free := strings.Contains(pkg, "/api") || strings.Contains(pkg, "/cmd/")
			if to != "" && !(free && slices.Contains(nearStandard, to)) {
				used = append(used, to)
			}
		}
		slices.Sort(used)
		used = slices.Compact(used)
		if pkg == "proofstream/cmd/loadgen" { // may import any module, but no package of this one: it measures from outside
			used = slices.DeleteFunc(used, func(to string) bool { return !strings.HasPrefix(to, "proofstream") })
		}
		want := slices.Sorted(slices.Values(allowedImports[pkg]))
		if !slices.Equal(used, want) {
			t.Errorf("%s imports\n%q, want\n%q", pkg, used, want)
		}
	}
}

// The programs contain no package that only tests may import.
func TestProgramsContainNoTestPackage(t *testing.T) {
	for path := range strings.FieldsSeq(goList(t, "-deps", "proofstream/cmd/proofstream", "proofstream/cmd/loadgen")) {
		switch path {
		case "testing", "proofstream/stream/waitfor", "proofstream/stream/clocktest", "proofstream/stream/ssetest", "proofstream/stream/logtest", "proofstream/api/hook/hooktest",
			"proofstream/stream/natslog/natstest", "proofstream/cmd/proofstream/e2e", "github.com/nats-io/nats-server/v2/server",
			"github.com/santhosh-tekuri/jsonschema/v6", "go.yaml.in/yaml/v3":
			t.Errorf("a program contains %s", path)
		}
	}
}

// importsByPackage returns the imports of each package of this module, without those of its tests.
func importsByPackage(t *testing.T) map[string][]string {
	packages := map[string][]string{}
	for line := range strings.Lines(goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "proofstream/...")) {
		words := strings.Fields(line)
		packages[words[0]] = words[1:]
	}
	for pkg := range allowedImports {
		if _, ok := packages[pkg]; !ok {
			t.Errorf("%s does not exist", pkg)
		}
	}
	return packages
}

// moduleByPackage returns the module of each package that this module depends on, "" for the standard library.
func moduleByPackage(t *testing.T) map[string]string {
	modules := map[string]string{}
	for line := range strings.Lines(goList(t, "-deps", "-f", `{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}`, "proofstream/...")) {
		path, module, _ := strings.Cut(strings.TrimSpace(line), " ")
		modules[path] = module
	}
	return modules
}

// goList returns the output of go list with arguments.
func goList(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return string(out)
}
