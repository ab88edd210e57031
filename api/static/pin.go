package static

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

// pinned are the files that are also served under a name with their hash in it.
var pinned = []string{"proof.js", "proof.css", "default.svg"}

// manifestEntry is the URL path of a pinned file and the integrity value of its bytes (W3C Subresource Integrity).
type manifestEntry struct {
	Path      string `json:"path"`
	Integrity string `json:"integrity"`
}

// pin adds the files under names with a hash, and manifest.json, which lists these.
func (f *Files) pin() error {
	manifest := make(map[string]manifestEntry)
	for _, name := range pinned {
		plain := f.byName[name]
		if plain == nil {
			return fmt.Errorf("the assets lack %s", name)
		}
		kind := path.Ext(name)
		hashed := strings.TrimSuffix(name, kind) + "." + plain.hash + kind
		immutable := *plain
		immutable.cacheControl = cacheImmutable
		f.byName[hashed] = &immutable
		sum := sha512.Sum384(plain.body)
		manifest[name] = manifestEntry{"/assets/" + hashed, "sha384-" + base64.StdEncoding.EncodeToString(sum[:])}
	}
	body, err := json.Marshal(manifest)
	if err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	f.byName["manifest.json"] = newFile(".json", body, cacheNever)
	return nil
}
