package main

import (
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
)

// maxKeyFileSize is the most bytes of a file of keys, origins or secrets. It keeps a wrong path, such as a device, from filling the memory.
const maxKeyFileSize = 64 << 10

// assignment matches what sets a variable, in the place of a value.
var assignment = regexp.MustCompile(`^(export\s+)?(PROOF_[A-Z0-9_]*|API_KEYS?)\s*=`)

// readList returns the elements in a file, keys or origins, which line ends or commas separate. A byte order mark is dropped: some
// editors of Windows write one. An empty path is no file.
func (p *problems) readList(variable, path, element string) []string {
	if path == "" {
		return nil
	}
	text, err := p.readText(path)
	if err != nil {
		p.addUnreadable(variable, path, err)
		return nil
	}
	text = strings.NewReplacer("\r\n", ",", "\n", ",").Replace(strings.TrimPrefix(text, "\ufeff"))
	list, err := parseList(text)
	if err != nil {
		advice := ""
		if element == "key" {
			advice = "; " + makeAKey
		}
		p.add(variable, "the file is empty; write one %s a line into it, or unset the variable%s", element, advice)
	}
	return list
}

// readText returns the text of a file from p.texts, or reads it into that.
func (p *problems) readText(path string) (string, error) {
	if text, ok := p.texts[path]; ok {
		return text, nil
	}
	text, err := readLimited(path, maxKeyFileSize)
	if err == nil {
		if p.texts == nil {
			p.texts = make(map[string]string)
		}
		p.texts[path] = text
	}
	return text, err
}

// readLimited returns the text of a file. It reads at most limit+1 bytes; a longer file is an error.
func readLimited(path string, limit int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errors.New("too large for a file of keys")
	}
	return string(b), err
}
