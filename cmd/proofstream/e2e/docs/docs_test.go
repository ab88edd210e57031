package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// Each number in PROMISES.md is there once and names a test, and each test that a document names exists.
func TestPromisesNameTestsThatExist(t *testing.T) {
	exists := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, path := range e2e.FilesOf(t, "_test.go") {
		for _, m := range declared.FindAllStringSubmatch(e2e.TextOf(t, path), -1) {
			exists[m[1]] = true
		}
	}
	row := regexp.MustCompile(`(?m)^\| (\d+) \|.*\|([^|]*)\|$`)
	numbers := map[string]bool{}
	for _, promise := range row.FindAllStringSubmatch(e2e.TextOf(t, ".github/PROMISES.md"), -1) {
		if numbers[promise[1]] {
			t.Errorf("promise %s is in the table twice", promise[1])
		}
		numbers[promise[1]] = true
		if !strings.Contains(promise[2], "`") {
			t.Errorf("promise %s names no test", promise[1])
		}
	}
	if len(numbers) < 50 {
		t.Errorf("found %d promises: the table is not read as it is written", len(numbers))
	}
	for _, path := range e2e.FilesOf(t, ".md") {
		for _, name := range regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`").FindAllStringSubmatch(e2e.TextOf(t, path), -1) {
			if !exists[name[1]] {
				t.Errorf("%s names %s, and there is no such test", path, name[1])
			}
		}
	}
}

// Every link in a document to a file of the repository, or to a heading in one, has an existing target.
func TestLinksInDocumentsHaveTargets(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]*)\)`)
	for _, path := range e2e.FilesOf(t, ".md") {
		for _, m := range link.FindAllStringSubmatch(e2e.TextOf(t, path), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, heading, _ := strings.Cut(m[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(filepath.Join(e2e.Root, target)); err != nil {
				t.Errorf("%s links to %s, which does not exist", path, m[1])
			} else if heading != "" && !slices.Contains(headingsOf(e2e.TextOf(t, target)), heading) {
				t.Errorf("%s links to %s, and there is no such heading", path, m[1])
			}
		}
	}
}

// headingsOf returns the anchors of the headings of a document, as code hosts form them.
func headingsOf(text string) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// Every path in a document that starts with a directory of the repository exists.
func TestPathsInDocumentsExist(t *testing.T) {
	path := regexp.MustCompile("(?m)(?:^|[\\s`(\"])(?:\\./)?((?:\\.adr|\\.ci|\\.github|api|assets|cmd|stream)/[\\w./-]*\\w)")
	for _, document := range e2e.FilesOf(t, ".md") {
		for _, m := range path.FindAllStringSubmatch(e2e.TextOf(t, document), -1) {
			beside := filepath.Join(e2e.Root, filepath.Dir(document), m[1])
			if _, err := os.Stat(filepath.Join(e2e.Root, m[1])); err == nil {
				continue
			} else if _, err := os.Stat(beside); err != nil {
				t.Errorf("%s names %s, which does not exist", document, m[1])
			}
		}
	}
}

// The README gives a reason for each module that go.mod requires directly, and for no other.
func TestReadmeGivesAReasonForEachModule(t *testing.T) {
	_, table, ok := strings.Cut(e2e.TextOf(t, "README.md"), "| module | why |")
	if !ok {
		t.Fatal("there is no table of modules")
	}
	var explained, required []string
	for _, m := range regexp.MustCompile("`([a-z0-9.]+\\.[a-z]+/[^`\\s]+)`").FindAllStringSubmatch(table, -1) {
		explained = append(explained, m[1])
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(e2e.TextOf(t, "go.mod"), -1) {
		required = append(required, m[1])
	}
	slices.Sort(explained)
	slices.Sort(required)
	if !slices.Equal(explained, required) {
		t.Errorf("explained\n%q, required\n%q", explained, required)
	}
}

// codeBlocks returns the fenced code blocks of a language in the section with a heading; "" is the whole document.
func codeBlocks(text, heading, language string) (blocks []string) {
	if heading != "" {
		_, text, _ = strings.Cut(text, "\n## "+heading+"\n")
		text, _, _ = strings.Cut(text, "\n## ")
	}
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// The command of the README's section "Try it" starts the service without configuration and prints the curl line that the README shows.
// Each request that the README shows gets the response that it shows. The demo page is served.
func TestReadmeCommandsDoWhatTheyShow(t *testing.T) {
	e2e.Slow(t)
	e2e.Need(t, "curl")
	readme := e2e.TextOf(t, "README.md")
	blocks := codeBlocks(readme, "Try it", "sh")
	if len(blocks) != 1 {
		t.Fatalf("got %d blocks of commands in section Try it, want 1", len(blocks))
	}
	log := runBlock(t, blocks[0])
	line, ok := log.Line("curl -d", time.Minute) // includes the time to compile
	if !ok {
		t.Fatalf("no curl line in\n%s", log)
	}
	url := regexp.MustCompile(`http://\S+:\d+`).FindString(line)
	key := regexp.MustCompile(`api_key=(\S+)`).FindStringSubmatch(line)[1]
	page := e2e.Server{URL: url}.Get(t, "/")
	if page.Status != 200 || !strings.Contains(page.Body, "/assets/proof.js") || !strings.Contains(log.String(), "/#key="+key) {
		t.Errorf("the demo page: got %d, and its address with the key is not in\n%s", page.Status, log)
	}
	transcripts := codeBlocks(readme, "", "console")
	if shown := "$ " + strings.NewReplacer(key, "$KEY", url, "http://localhost:6009").Replace(line) + "\n"; len(transcripts) < 2 ||
		!strings.HasPrefix(transcripts[0], shown) {
		t.Fatalf("the program prints %s, and the README shows %q", shown, transcripts)
	}
	for _, transcript := range transcripts {
		for step := range strings.SplitSeq(strings.TrimPrefix(transcript, "$ "), "\n$ ") {
			checkTranscript(t, step, url, key)
		}
	}
}

// runBlock runs shell commands in the root of the repository until the end of the test, and returns their stderr.
func runBlock(t *testing.T, commands string) *waitfor.Output {
	t.Helper()
	cmd := exec.Command("sh", "-c", commands)
	cmd.Dir = e2e.Root
	cmd.Env = append(os.Environ(), "PROOF_ADDR=127.0.0.1:0", "PROOF_METRICS_ADDR=off", "PROOF_DATA_DIR="+t.TempDir())
	out := &waitfor.Output{}
	cmd.Stderr = out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run forwards no signals, so the test kills the process group
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	return out
}

// checkTranscript runs the command in the first line of a transcript and compares its output with the other lines. Ids, times and delays
// may differ.
func checkTranscript(t *testing.T, transcript, url, key string) {
	t.Helper()
	command, shown, _ := strings.Cut(transcript, "\n")
	run := strings.ReplaceAll(command, "http://localhost:6009", url)
	run = strings.Replace(run, "curl ", "curl -sS --max-time 1 ", 1) // a stream does not end
	cmd := exec.Command("sh", "-c", run)
	cmd.Env = append(os.Environ(), "KEY="+key)
	out, err := cmd.CombinedOutput()
	got := regexp.MustCompile(`(?m)^curl: \(28\).*\n`).ReplaceAllString(string(out), "")
	if got, want := strings.TrimSpace(anyTime(got)), strings.TrimSpace(anyTime(shown)); got != want {
		t.Errorf("%s\ngot\n%s\n(%v), want as in the README\n%s", command, got, err, want)
	}
}

// The shell commands in the README of the embedded log succeed beside a running service.
func TestCommandsForTheEmbeddedLogWork(t *testing.T) {
	e2e.Need(t, "sqlite3")
	dir := t.TempDir()
	p := e2e.Start(t, "PROOF_DATA_DIR="+filepath.Join(dir, "data"))
	p.Post(t, "user_name=Ada Lovelace")
	if err := os.Symlink(e2e.Binary(t), filepath.Join(dir, "proofstream")); err != nil {
		t.Fatal(err)
	}
	var printed string
	for _, block := range codeBlocks(e2e.TextOf(t, "stream/sqlitelog/README.md"), "", "sh") {
		cmd := exec.Command("sh", "-ec", strings.ReplaceAll(block, "/backup/", dir+"/"))
		cmd.Dir, cmd.Env = dir, append(p.Env, "PATH="+dir+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", block, err, out)
		}
		printed += string(out)
	}
	if copies, _ := filepath.Glob(filepath.Join(dir, "proofstream-*.db")); len(copies) != 1 || !strings.Contains(printed, "default|1|") || !strings.Contains(printed, "Ada Lovelace") {
		t.Errorf("got backups %q, and the commands print %s", copies, printed)
	}
}

// anyTime replaces ids, times and delays, which differ from one run to the next, by placeholders.
func anyTime(text string) string {
	for i, pattern := range []string{`\b[a-z0-9]{6}-(\d+)\b`, `\d{4}-\d\d-\d\dT[\d:.]+Z`, `retry: \d+`} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, fmt.Sprint("<", i, " $1>"))
	}
	return text
}
