package main

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestCommandsThatCallLoadgen would catch a flag that the usage, the README or .ci/bench passes and loadgen does not have.
func TestCommandsThatCallLoadgen(t *testing.T) {
	flags := flag.NewFlagSet("loadgen", flag.ContinueOnError)
	var phases, pids string
	(&options{}).register(flags, &phases, &pids)
	documents := map[string]string{"usage": usageText}
	for _, path := range []string{"README.md", "../../.ci/bench"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		documents[path] = string(text)
	}
	command := regexp.MustCompile(`loadgen"?((?: -|\\\n)[^\n\\]*)+`) // a backslash continues the line
	for name, text := range documents {
		found := 0
		for _, call := range command.FindAllString(text, -1) {
			for _, m := range regexp.MustCompile(`\s-([a-z][a-z-]+)`).FindAllStringSubmatch(call, -1) {
				if found++; flags.Lookup(m[1]) == nil {
					t.Errorf("%s has %q, and loadgen has no flag -%s", name, call, m[1])
				}
			}
		}
		if found == 0 {
			t.Errorf("%s has no call of loadgen that this test finds", name)
		}
	}
}

// TestUsageExplainsEveryPhase would catch a phase that the usage leaves out.
func TestUsageExplainsEveryPhase(t *testing.T) {
	for _, name := range phaseNames() {
		if !strings.Contains(usageText, "\n  "+name+" ") {
			t.Errorf("the usage does not explain %s", name)
		}
	}
}
