package decode

import (
	"encoding/json"
	"strings"
	"testing"

	"proofstream/stream/signup"
)

// BenchmarkDecode reads a short signup, one full of escapes, and one as long as a body may be. The plain alternative,
// encoding/json, reads the same into a map, but notices neither repeated fields nor unpaired surrogates.
func BenchmarkDecode(b *testing.B) {
	strict := func(body []byte) error {
		in := reading{fields: signup.Fields{}}
		return in.json(body)
	}
	plain := func(body []byte) error { return json.Unmarshal(body, &map[string]string{}) }
	for _, bench := range []struct {
		name, body string
		read       func([]byte) error
	}{
		{"short/strict", short, strict},
		{"short/plain", short, plain},
		{"escapes/strict", escaped, strict},
		{"escapes/plain", escaped, plain},
		{"largest/strict", largest, strict},
		{"largest/plain", largest, plain},
	} {
		b.Run(bench.name, func(b *testing.B) {
			body := []byte(bench.body)
			b.ReportAllocs()
			for b.Loop() {
				if err := bench.read(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

const short = `{"user_name":"Ada","offer_name":"Spring Sale","img_path":"/ada.png","place":"Turin","url":"/sale"}`

var (
	escaped = `{"user_name":"` + strings.Repeat(`\u00e9\n\ud83d\ude00`, 20) + `"}`
	largest = `{"user_name":"` + strings.Repeat("x", MaxBody-16) + `"}`
)
