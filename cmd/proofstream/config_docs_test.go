package main

import (
	"maps"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// documented returns the default of each variable, those of one indexed site and of one webhook included.
func documented() map[string]string {
	all := make(map[string]string)
	fields := append(envFields(&variables{}, envPrefix), envFields(&siteVariables{}, envPrefix+"SITES_0_")...)
	for _, f := range append(fields, envFields(&hookVariables{}, envPrefix+"HOOKS_0_")...) {
		all[f.Key] = f.DefaultValue
	}
	return all
}

// compareDefaults reports where a document and the code differ.
func compareDefaults(t *testing.T, document string, got map[string]string) {
	t.Helper()
	want := documented()
	for name, value := range got {
		if fallback, known := want[name]; !known {
			t.Errorf("%s has %s, which the code does not have", document, name)
		} else if value != fallback {
			t.Errorf("%s says that the default of %s is %q; it is %q", document, name, value, fallback)
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s lacks %s", document, name)
		}
	}
}

// .env.example has every variable with its default.
func TestEnvExampleIsTrue(t *testing.T) {
	text := e2e.TextOf(t, ".env.example")
	line := regexp.MustCompile(`(?m)^# (.+)\n#(PROOF_[A-Z0-9_]+)=(.*)$`) // a comment, then the default
	got := make(map[string]string)
	for _, m := range line.FindAllStringSubmatch(text, -1) {
		got[m[2]] = m[3]
	}
	compareDefaults(t, ".env.example", got)
}

// With each line uncommented and read by a shell, .env.example gives the default configuration.
func TestEnvExampleWorksInAShell(t *testing.T) {
	text := e2e.TextOf(t, ".env.example")
	path := tempFile(t, strings.ReplaceAll(text, "\n#PROOF_", "\nPROOF_"))
	cmd := exec.Command("sh", "-c", `set -a; . "$1"; env`, "sh", path)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(string(out), envPrefix), len(documented()); got != want {
		t.Errorf("the shell sets %d variables, want %d", got, want)
	}
	got, want := configOf(t, strings.Split(string(out), "\n")...), configOf(t)
	got.GeneratedKey, got.Sites[0].Keys = want.GeneratedKey, want.Sites[0].Keys
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The table in the README has every variable with its default.
func TestReadmeTableIsTrue(t *testing.T) {
	compareDefaults(t, "README.md", tableOf(e2e.TextOf(t, "README.md")))
}

// tableOf returns the default of each variable in a table. The first cell is the variable in backticks. The second has the default in
// backticks; without backticks it describes a computed default, and the value is "".
func tableOf(markdown string) map[string]string {
	row := regexp.MustCompile("(?m)^\\| *`(PROOF_[A-Z0-9_]+)` *\\|([^|]*)\\|")
	code := regexp.MustCompile("`([^`]*)`")
	table := make(map[string]string)
	for _, m := range row.FindAllStringSubmatch(markdown, -1) {
		table[m[1]] = ""
		if c := code.FindStringSubmatch(m[2]); c != nil {
			table[m[1]] = c[1]
		}
	}
	return table
}

func TestTableOfReadsRows(t *testing.T) {
	got := tableOf("| variable | default |\n|---|---|\n| `PROOF_A` | `1` | x |\n| `PROOF_B_2` | | `y` |\n|`PROOF_C`|worked out|z|\n")
	if want := map[string]string{"PROOF_A": "1", "PROOF_B_2": "", "PROOF_C": ""}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
