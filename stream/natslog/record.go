package natslog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"proofstream/stream"
)

// record is what an embedded log last knew of itself, kept beside its files: the server recovers
// from most damage without a word, so what it brings back is compared with this.
type record struct {
	Chain     stream.Chain      `json:"chain"`
	First     uint64            `json:"first"`
	FirstTime time.Time         `json:"first_time"` // of the oldest kept event
	Last      uint64            `json:"last"`
	Events    uint64            `json:"events"`
	Retention time.Duration     `json:"retention"`       // in force then
	Files     map[string]string `json:"files,omitempty"` // sums of the files, after an orderly end only
}

func recordPath(dir string) string { return filepath.Join(dir, "log.json") }

// readRecord returns the record in dir. The error is an fs.ErrNotExist when there is none; any other says why it
// cannot be what was written.
func readRecord(dir string) (*record, error) {
	data, err := os.ReadFile(recordPath(dir))
	if err != nil {
		return nil, err
	}
	r := new(record)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, err
	}
	body, sum, summed := bytes.Cut(data, []byte(sumBegins))
	if summed && string(sum) != checksum(body)+sumEnds || !summed && len(r.Chain) == 0 {
		return nil, errors.New("it is not as it was written")
	}
	return r, nil
}

// A record ends with a checksum of all that is before. (One of an older program has none.)
const sumBegins, sumEnds = `,"sum":"`, `"}`

func checksum(data []byte) string {
	return fmt.Sprintf("%08x", crc32.Checksum(data, castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// write replaces the record in dir. A power cut leaves the former or this one, never half of it; this one for sure
// if synced.
func (r *record) write(dir string, synced bool) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	body := bytes.TrimSuffix(data, []byte("}"))
	data = append(body, sumBegins+checksum(body)+sumEnds...)
	if synced {
		return replace(recordPath(dir), data)
	}
	if err := writeSynced(recordPath(dir)+".tmp", data); err != nil {
		return err
	}
	return os.Rename(recordPath(dir)+".tmp", recordPath(dir))
}

// compare returns what is wrong with a log that came back with the state now, in words.
func (r *record) compare(now stream.State) []string {
	var wrong []string
	if now.Last < r.Last {
		return append(wrong, fmt.Sprintf("it ends at %d, but reached %d", now.Last, r.Last))
	}
	given := now.Last - r.Last // each may have pushed out one older event
	holes := func(first, last, events uint64) uint64 { return last + 1 - first - events }
	before, after := holes(r.First, r.Last, r.Events), holes(now.First, now.Last, now.Events)
	unexpired := r.Events == 0 || time.Since(r.FirstTime) < r.Retention
	switch {
	case after > before+given:
		wrong = append(wrong, fmt.Sprintf("%d events are missing in its middle", after-before-given))
	case unexpired && now.Events < r.Events:
		wrong = append(wrong, fmt.Sprintf("%d of %d events are missing", r.Events-now.Events, r.Events))
	}
	return wrong
}

// compareFiles returns which files are no longer what they were at the last orderly end.
func (r *record) compareFiles(dir string) ([]string, error) {
	if r.Files == nil {
		return nil, nil
	}
	now, err := sums(dir)
	if err != nil {
		return nil, err
	}
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		switch sum, ok := now[name]; {
		case !ok:
			wrong = append(wrong, name+" is missing")
		case sum != r.Files[name]:
			wrong = append(wrong, name+" was changed")
		}
	}
	return wrong, nil
}

// sums returns a checksum of every file that holds events, by name. dir is that of the files.
func sums(dir string) (map[string]string, error) {
	names, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	found := map[string]string{}
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".blk") && n.Name() != "index.db" {
			continue
		}
		sum, err := sum(filepath.Join(dir, n.Name()))
		if err != nil {
			return nil, err
		}
		found[n.Name()] = sum
	}
	return found, err
}

func sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := crc32.New(castagnoli)
	n, err := io.Copy(h, f)
	return fmt.Sprintf("%d:%08x", n, h.Sum32()), err
}
