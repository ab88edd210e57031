package api

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"proofstream/api/decode"
	"proofstream/api/static"
)

func TestDescriptionIsValidOpenAPI(t *testing.T) {
	d := readDescription(t)
	if version := d.document["openapi"]; version != "3.1.0" {
		t.Errorf("got version %v", version)
	}
	components := d.child(node{value: d.document}, "components")
	for name := range d.child(components, "schemas").value {
		if _, err := d.schemas.Compile("openapi.json#/components/schemas/" + name); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
	ids := make(map[any]bool)
	paths := d.child(node{value: d.document}, "paths")
	for path, item := range paths.value {
		for method := range item.(map[string]any) {
			if method == "servers" { // of another listener
				continue
			}
			operation, err := d.operation(method, path)
			if id := operation.value["operationId"]; err != nil || id == nil || ids[id] || len(d.child(operation, "responses").value) == 0 {
				t.Errorf("%s %s: got operationId %v, want one of its own, and responses; %v", method, path, id, err)
			}
			ids[operation.value["operationId"]] = true
			for status := range d.child(operation, "responses").value {
				if d.child(d.child(operation, "responses"), status).value["description"] == nil {
					t.Errorf("%s %s: response %s has no description, or its reference leads nowhere", method, path, status)
				}
			}
		}
	}
	h := serve(t)
	for _, method := range []string{"GET", "HEAD"} {
		got := h.request(t, method, "/openapi.yaml", "")
		if got.status != 200 || got.header.Get("Content-Type") != "application/yaml" || method == "GET" && got.body != string(openAPI) {
			t.Errorf("%s: got %d %s", method, got.status, got.header.Get("Content-Type"))
		}
	}
}

// What holds requests and responses to the description takes a parameter or header whose reference leads nowhere for one that accepts all.
func TestDescriptionHasNoDeadReference(t *testing.T) {
	d := readDescription(t)
	found := references(d.document)
	if len(found) == 0 {
		t.Error("got no reference")
	}
	for _, ref := range found {
		holder := node{value: map[string]any{"place": map[string]any{"$ref": ref}}}
		if !strings.HasPrefix(ref, "#/") || d.child(holder, "place").value == nil {
			t.Errorf("got reference %s, want one to an object of this document", ref)
		}
	}
}

// references returns the references in a value, at any depth.
func references(value any) []string {
	var found []string
	switch value := value.(type) {
	case map[string]any:
		if ref, ok := value["$ref"].(string); ok {
			found = append(found, ref)
		}
		for _, member := range value {
			found = append(found, references(member)...)
		}
	case []any:
		for _, element := range value {
			found = append(found, references(element)...)
		}
	}
	return found
}

// Each route is described, and nothing else is, except what other listeners serve.
func TestDescriptionHasEveryRoute(t *testing.T) {
	files, err := static.Load(fewAssets)
	if err != nil {
		t.Fatal(err)
	}
	var routes []string
	for _, route := range serve(t).routes(files).(*echo.Echo).Routes() {
		path := strings.NewReplacer(":id", "{id}", ":name", "{name}").Replace(route.Path)
		if route.Method != "HEAD" {
			routes = append(routes, route.Method+" "+path)
		}
	}
	d := readDescription(t)
	var described []string
	for path, item := range d.child(node{value: d.document}, "paths").value {
		for method := range item.(map[string]any) {
			if path != "/metrics" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(routes)
	slices.Sort(described)
	if !slices.Equal(slices.Compact(routes), described) {
		t.Errorf("routes are\n%q, described are\n%q", routes, described)
	}
}

// check sends a request and holds it and its response to the description.
func (d description) check(t *testing.T, h *harness, method, path, body string, sound bool, status int, headers ...string) {
	t.Helper()
	r, err := http.NewRequest(method, h.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	setHeaders(r, headers)
	if err := d.checkRequest(r, body); (err == nil) != sound {
		t.Errorf("the request is as described: want %t, got %v", sound, err)
	}
	resp, err := h.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		t.Errorf("got %d, want %d", resp.StatusCode, status)
	}
	if err := d.checkResponse(r, resp); err != nil {
		t.Errorf("the response %d is not as described: %v", resp.StatusCode, err)
	}
}

func TestRequestsAndResponsesAreAsDescribed(t *testing.T) {
	d, h := readDescription(t), serve(t, func(o *setup) { o.RateLimit = 1000 })
	id := h.post(t, `{"user_name":"Ada","place":"Turin","url":"/a","kind":"order"}`)
	h.post(t, `{"img_path":"/Größe 1.png"}`)
	const asForm = "Content-Type: " + decode.Form
	key := "Authorization: Bearer " + defaultKey
	tests := []struct {
		name, method, path, body string
		sound                    bool // whether the request is as described
		status                   int
		headers                  []string
	}{
		{"a JSON post", "POST", "/signup", `{"user_name":"Ada","place":null}`, true, 200, []string{jsonType, key, "Idempotency-Key: order 1"}},
		{"a post again", "POST", "/signup", `{"user_name":"Bob"}`, true, 200, []string{jsonType, key, "Idempotency-Key: order 1"}},
		{"a post with notes", "POST", "/signup", `{"user_name":"undefined","img_path":"a.png"}`, true, 200, []string{jsonType, key}},
		{"a form", "POST", "/signup", "user_name=Ada&api_key=" + defaultKey, true, 200, []string{asForm}},
		{"a form that accepts JSON", "POST", "/signup", "user_name=Ada", true, 200, []string{asForm, key, "Accept: application/json"}},
		{"a wrong key", "POST", "/signup", "{}", true, 401, []string{jsonType, "X-API-Key: wrong"}},
		{"a wrong key with a form", "POST", "/signup", "user_name=A", true, 401, []string{asForm, "X-API-Key: wrong"}},
		{"an unknown field", "POST", "/signup", `{"email":"a"}`, false, 422, []string{jsonType, key}},
		{"a wrong type", "POST", "/signup", `{"user_name":1}`, false, 400, []string{jsonType, key}},
		{"a rule that is broken", "POST", "/signup", `{"url":"javascript:x"}`, true, 422, []string{jsonType, key}},
		{"a bad Idempotency-Key", "POST", "/signup", `{}`, false, 422, []string{jsonType, key, "Idempotency-Key: " + strings.Repeat("k", 129)}},
		{"another media type", "POST", "/signup", `{}`, false, 415, []string{"Content-Type: text/plain", key}},
		{"a long body", "POST", "/signup", `{"place":"` + strings.Repeat("x", decode.MaxBody) + `"}`, true, 413, []string{jsonType, key}},
		{"an erasure", "DELETE", "/signup/" + id, "", true, 204, []string{key}},
		{"an erasure of nothing", "DELETE", "/signup/x-1", "", true, 404, []string{key, "Accept: application/json"}},
		{"an erasure by key", "DELETE", "/signup?idempotency_key=order%201", "", true, 204, []string{key}},
		{"an erasure by a key that is not known", "DELETE", "/signup?idempotency_key=order", "", true, 404, []string{key}},
		{"an erasure by no key", "DELETE", "/signup", "", false, 400, []string{key}},
		{"an erasure with a wrong key", "DELETE", "/signup/" + id, "", true, 401, []string{"X-API-Key: wrong"}},
		{"recent", "GET", "/recent?limit=20&site=default", "", true, 200, nil},
		{"recent without an event", "GET", "/recent?site=shop", "", true, 200, nil},
		{"recent with a wrong limit", "GET", "/recent?limit=x", "", false, 400, nil},
		{"recent of no site", "GET", "/recent?site=x", "", true, 404, nil},
		{"recent for a page that may not", "GET", "/recent", "", true, 403, []string{"Origin: https://x.example"}},
		{"numbers", "GET", "/stats", "", true, 200, nil},
		{"the operator's list", "GET", "/admin/events?limit=1&before=" + id, "", true, 200, []string{key}},
		{"the operator's list in full", "GET", "/admin/events", "", true, 200, []string{key}},
		{"the operator's list without a key", "GET", "/admin/events", "", false, 401, nil},
		{"a stream of no site", "GET", "/events?site=x", "", true, 404, nil},
		{"live", "GET", "/live", "", true, 200, nil},
		{"ready", "GET", "/ready", "", true, 200, nil},
		{"the page", "GET", "/", "", true, 200, nil},
		{"an asset", "GET", "/assets/proof.js", "", true, 200, nil},
		{"no such asset", "GET", "/assets/x", "", true, 404, nil},
		{"the description", "GET", "/openapi.yaml", "", true, 200, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { d.check(t, h, tt.method, tt.path, tt.body, tt.sound, tt.status, tt.headers...) })
	}
	t.Run("an unavailable log", func(t *testing.T) {
		o := serve(t, func(o *setup) { o.Starting = true })
		d.check(t, o, "POST", "/signup", "{}", true, 503, jsonType, key)
		d.check(t, o, "GET", "/ready", "", true, 503)
	})
}

// A description that accepts anything would pass the test above.
func TestDescriptionRefusesOtherResponses(t *testing.T) {
	d := readDescription(t)
	for _, tt := range []struct {
		name, method, path, media, body string
		status                          int
	}{
		{"a member that no event has", "GET", "/recent", "application/json", `{"events":[{"id":"k-1","img_path":"default","offer_name":"a","user_name":"b","at":"2026-11-21T20:02:14.501Z","x":1}],"last_event_id":"k-1"}`, 200},
		{"an event without a time", "GET", "/recent", "application/json", `{"events":[{"id":"k-1","img_path":"default","offer_name":"a","user_name":"b"}],"last_event_id":"k-1"}`, 200},
		{"an id that is none", "POST", "/signup", "application/json", `{"id":"1","duplicate":false}`, 200},
		{"no notes in a list", "POST", "/signup", "application/json", `{"id":"k-1","duplicate":false,"notes":[]}`, 200},
		{"a status that it does not have", "POST", "/signup", "text/plain", "x", 418},
		{"another media type", "GET", "/stats", "text/html", "x", 200},
		{"a problem without its detail", "GET", "/stats", "application/problem+json", `{"status":503,"title":"x"}`, 503},
	} {
		r, _ := http.NewRequest(tt.method, "http://proof.example"+tt.path, nil)
		resp := &http.Response{StatusCode: tt.status, Header: http.Header{"Content-Type": {tt.media}}, Body: io.NopCloser(strings.NewReader(tt.body))}
		if d.checkResponse(r, resp) == nil {
			t.Errorf("%s is as described", tt.name)
		}
	}
}
