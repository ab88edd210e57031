package static

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// importLine matches an import of another module of the same folder, alone on its line.
var importLine = regexp.MustCompile(`(?m)^import \{[^}\n]*\} from '\./([\w-]+\.js)';\n`)

// exportWord matches the word that exports a declaration.
var exportWord = regexp.MustCompile(`(?m)^export `)

// join returns one script of an ECMAScript module and all modules that it imports: each once, after those that it imports
// itself, within one function. It understands only what our sources use: each import is one line of names from a file of the
// same folder, and each export stands before a declaration. All names at the top of the modules must differ: with two alike the
// script cannot be minified.
func join(fsys fs.FS, entry string) ([]byte, error) {
	var script strings.Builder
	joined := make(map[string]bool)
	var add func(name string) error
	add = func(name string) error {
		if joined[name] {
			return nil
		}
		joined[name] = true
		source, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		for _, found := range importLine.FindAllSubmatch(source, -1) {
			if err := add(path.Join(path.Dir(name), string(found[1]))); err != nil {
				return fmt.Errorf("import into %s: %w", name, err)
			}
		}
		script.Write(exportWord.ReplaceAll(importLine.ReplaceAll(source, nil), nil))
		return nil
	}
	if err := add(entry); err != nil {
		return nil, err
	}
	return []byte("(() => {\n" + script.String() + "})();\n"), nil
}
