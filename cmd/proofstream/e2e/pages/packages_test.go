package pages

import (
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// packages are the packages of npm that the tests use, by the folder that they are unpacked into.
var packages = map[string]string{
	"18/node_modules/react":     "react@18.2.0",
	"18/node_modules/react-dom": "react-dom@18.2.0",
	"18/node_modules/scheduler": "scheduler@0.23.0",
	"19/node_modules/react":     "react@19.1.1",
	"19/node_modules/react-dom": "react-dom@19.1.1",
	"19/node_modules/scheduler": "scheduler@0.26.0",
	"turbo":                     "@hotwired/turbo@8.0.13",
	"htmx":                      "htmx.org@2.0.4",
	"vue":                       "vue@3.5.13",
}

// unpacked downloads the packages on its first call, and returns the folder that has them. It stays in the temporary directory.
var unpacked = sync.OnceValues(func() (dir string, err error) {
	dir = filepath.Join(os.TempDir(), fmt.Sprintf("proofstream-e2e-pages-%08x", crc32.ChecksumIEEE([]byte(fmt.Sprint(packages)))))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	fresh, err := os.MkdirTemp("", "proofstream-e2e-pages-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh) // after the renaming there is nothing left to remove
	if err := download(fresh); err != nil {
		return "", err
	}
	if err := os.Rename(fresh, dir); err != nil {
		if _, other := os.Stat(dir); other != nil { // no other process was faster
			return "", err
		}
	}
	return dir, nil
})

// download downloads the packages into a folder, without what they depend on.
func download(dir string) error {
	args := []string{"pack", "--silent", "--fetch-retries=1"}
	for _, spec := range packages {
		args = append(args, spec)
	}
	if err := run(dir, "npm", args...); err != nil {
		return err
	}
	for folder, spec := range packages {
		archive := strings.NewReplacer("@hotwired/", "hotwired-", "@", "-").Replace(spec) + ".tgz"
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			return err
		}
		if err := run(dir, "tar", "-xzf", archive, "-C", folder, "--strip-components=1"); err != nil {
			return err
		}
	}
	return nil
}

func run(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %.300s", cmd, err, out)
	}
	return nil
}

// needPackages returns the folder with the packages. It skips the test without npm and without its registry; with CI=true it fails it.
func needPackages(t *testing.T) (dir string) {
	t.Helper()
	e2e.Strong(t) // a clean machine has to fetch the packages
	e2e.NeedBrowser(t)
	e2e.Need(t, "node")
	e2e.Need(t, "npm")
	dir, err := unpacked()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return dir
}

// readPackage returns a file of the packages.
func readPackage(t *testing.T, name ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{needPackages(t)}, name...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
