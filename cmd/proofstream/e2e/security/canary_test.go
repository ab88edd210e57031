package security

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// The API keys of TestNoKeyLeavesTheService. All contain "birdsong", which no other text does.
const (
	// canaryKey and canaryNewKey are in PROOF_API_KEYS.
	canaryKey    = "birdsong-alpha-0123456789"
	canaryNewKey = "birdsong-bravo-0123456789"
	// canaryFileKey is in the file of PROOF_API_KEYS_FILE.
	canaryFileKey = "birdsong-charlie-0123456789"
	// canaryShopKey is the key of another site.
	canaryShopKey = "birdsong-delta-0123456789"
)

// No response, metric, profile or log line has a key or a part of one. Requests use every key in every place, right and wrong, and the
// log has debug level, in both formats.
func TestNoKeyLeavesTheService(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			secret := filepath.Join(t.TempDir(), "keys")
			if err := os.WriteFile(secret, []byte(canaryFileKey+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			p := e2e.Launch(t, "PROOF_LOG_LEVEL=debug", "PROOF_LOG_FORMAT="+format, e2e.MetricsOn(t),
				"PROOF_API_KEYS="+canaryKey+","+canaryNewKey, "PROOF_API_KEYS_FILE="+secret,
				"PROOF_SITES_0_NAME=shop", "PROOF_SITES_0_API_KEYS="+canaryShopKey,
				"PROOF_SITES_0_ALLOWED_ORIGINS=https://shop.example.com")
			_, rest, _ := strings.Cut(p.AwaitLog("serving"), "http://")
			p.URL = "http://" + strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == '"' })[0]
			responses := sendEverything(t, p)
			for _, path := range []string{"/metrics", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1",
				"/debug/pprof/allocs", "/debug/pprof/cmdline", "/debug/pprof/", "/debug/pprof/trace?seconds=0.05"} {
				responses = append(responses, p.Ops.Get(t, path).Body)
			}
			p.Term()
			p.Wait()
			if log := p.Stderr.String(); !strings.Contains(log, "stored") || !strings.Contains(log, "unauthorized") {
				t.Errorf("the keys were not used:\n%s", log)
			}
			for _, text := range append(responses, p.Stderr.String()) {
				if at := strings.Index(text, "birdsong"); at >= 0 {
					t.Errorf("a key is in: …%s…", text[max(0, at-200):min(len(text), at+60)])
				}
			}
		})
	}
}

// sendEverything sends requests of all kinds and returns the text of all responses.
func sendEverything(t *testing.T, p *e2e.Program) (responses []string) {
	t.Helper()
	form, json := "Content-Type: application/x-www-form-urlencoded", "Content-Type: application/json"
	keys := []string{canaryKey, canaryNewKey, canaryFileKey, canaryShopKey}
	note := func(method, path, body string, headers ...string) e2e.Response {
		got, err := p.TryRequest(method, path, body, headers...)
		if err != nil && !strings.HasPrefix(path, "/events") {
			t.Fatal(err)
		}
		responses = append(responses, fmt.Sprint(got.Status, got.Header, got.Body))
		return got
	}
	for _, wrong := range []string{canaryKey + "x", canaryKey[:20]} {
		note("POST", "/signup", "user_name=A", form, "Authorization: Bearer "+wrong)
		note("POST", "/signup", `{"api_key":"`+wrong+`"}`, json)
		note("DELETE", "/signup/a-1", "", "X-API-Key: "+wrong)
	}
	for _, key := range keys {
		bearer := "Authorization: Bearer " + key
		note("POST", "/signup", "user_name=A", form, bearer)
		note("POST", "/signup", "user_name=A", form, "X-API-Key: "+key)
		note("POST", "/signup", "user_name=A&api_key="+key, form)
		note("POST", "/signup", `{"api_key":"`+key+`"}`, json)
		note("POST", "/signup", `{"api_key":"`+key+`"`, json)                      // cut short
		note("POST", "/signup", `{"api_key":"`+key+`","api_key":"`+key+`"}`, json) // twice
		note("POST", "/signup", `{"api_key":["`+key+`"]}`, json)                   // of a wrong type
		note("POST", "/signup", "api_key="+key+"&api_key="+key, form)
		note("POST", "/signup", "api_key="+key+"&nonsense=1", form)
		note("POST", "/signup", "api_key="+key+"%zz", form)
		note("POST", "/signup", key, "Content-Type: "+key)
		note("POST", "/signup", `{"api_key":"`+key+`"}`, form, "Authorization: Bearer "+canaryKey) // JSON sent as a form
		note("POST", "/signup", key, form, bearer)
		note("POST", "/signup", key+"&"+key, form)
		note("POST", "/signup", `{"`+key+`":1,"`+key+`":1}`, json)
		note("POST", "/signup?api_key="+key, "user_name=A", form)
		note("POST", "/signup", strings.Repeat(key, 1000), form, bearer)
		note("DELETE", "/signup/a-1", "", bearer)
		note("DELETE", "/signup/a-1?api_key="+key, "")
		note("GET", "/stats?api_key="+key, "", bearer)
		note("GET", "/recent?limit=5", "", bearer)
		note("GET", "/events?limit=x&recent=x&api_key="+key, "", bearer)
		note("PUT", "/signup?api_key="+key, "", bearer)
		note("GET", "/signup?api_key="+key, "")
	}
	return append(responses, openAndClose(p, "Authorization: Bearer "+canaryKey)...)
}

// openAndClose opens a stream with a key that it does not need, and closes it.
func openAndClose(p *e2e.Program, header string) []string {
	r, _ := http.NewRequest("GET", p.URL+"/events?recent=20&api_key="+canaryKey, nil) // the address is a good one
	name, value, _ := strings.Cut(header, ": ")
	r.Header.Set(name, value)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return []string{err.Error()}
	}
	defer resp.Body.Close()
	b := make([]byte, 4096)
	n, _ := resp.Body.Read(b) // the first bytes are enough
	return []string{string(b[:n])}
}

// The stacks that a crash prints have no key. SIGQUIT makes the runtime print the stacks of all goroutines.
func TestNoKeyIsInACrash(t *testing.T) {
	p := e2e.Start(t, "PROOF_API_KEYS="+canaryKey)
	p.Post(t, "user_name=Ada")
	p.Listen(t, "")
	half := p.Raw(t, "") // a post under way, its key read
	fmt.Fprintf(half, "POST /signup HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{", canaryKey)
	p.Get(t, "/live") // by then the program is reading the post
	crash(p)
	p.Wait()
	log := p.Stderr.String()
	if !strings.Contains(log, "goroutine ") {
		t.Fatalf("there are no stacks:\n%s", log)
	}
	if strings.Contains(log, "birdsong") {
		t.Error("a key is in the stacks")
	}
}
