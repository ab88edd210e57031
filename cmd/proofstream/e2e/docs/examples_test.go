package docs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// interpreters are the commands that run an example in a file, and the file's name, by the language of its code block.
var interpreters = map[string]struct {
	file    string
	command []string
}{
	"sh":     {"example.sh", []string{"sh"}},
	"python": {"example.py", []string{"python3"}},
	"php":    {"example.php", []string{"php"}},
	"js":     {"example.mjs", []string{"node"}},
	"ruby":   {"example.rb", []string{"ruby"}},
	"go":     {"main.go", []string{"go", "run"}},
}

// Each example in the README of the HTTP interface stores the signup that it shows, once, however often it runs.
func TestExamplesPostTheirSignup(t *testing.T) {
	e2e.Slow(t)
	readme := e2e.TextOf(t, "api/README.md")
	for language, count := range map[string]int{"sh": 1, "python": 2, "php": 2, "js": 1, "ruby": 1, "go": 1} {
		blocks := codeBlocks(readme, "Examples", language)
		if len(blocks) != count {
			t.Errorf("got %d examples in %s, want %d", len(blocks), language, count)
		}
		for _, block := range blocks {
			t.Run(language, func(t *testing.T) {
				t.Parallel()
				e2e.Need(t, interpreters[language].command[0])
				if strings.Contains(block, "import os, requests") && os.Getenv("CI") != "true" && exec.Command("python3", "-c", "import requests").Run() != nil {
					t.Skip("no module requests: install it to run this test")
				}
				checkExample(t, language, block)
			})
		}
	}
}

// checkExample runs an example twice beside a service of its own.
func checkExample(t *testing.T, language, block string) {
	t.Helper()
	p := e2e.Start(t)
	in := interpreters[language]
	path := filepath.Join(t.TempDir(), in.file)
	if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append(in.command, path)
	if strings.Contains(block, "add_action(") {
		args = append(in.command, filepath.Join(e2e.Root, "cmd/proofstream/e2e/docs/testdata/wordpress.php"), path)
	}
	for range 2 {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = filepath.Dir(path)
		cmd.Env = append(os.Environ(), "PROOF_URL="+p.URL, "PROOF_KEY="+e2e.TestKey)
		if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "announce") {
			t.Fatalf("%v: %s", err, out)
		}
	}
	want := "Spring Sale"
	if language == "php" {
		want = "Ben & Jerry’s"
	}
	var recent struct {
		Events []struct {
			User  string `json:"user_name"`
			Offer string `json:"offer_name"`
		}
	}
	if err := json.Unmarshal([]byte(p.Get(t, "/recent").Body), &recent); err != nil {
		t.Fatal(err)
	}
	if got := recent.Events; len(got) != 1 || got[0].User != "Ada" || got[0].Offer != want {
		t.Errorf("got %+v, want one signup of Ada with %s", got, want)
	}
}
