package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// description is the OpenAPI description, and what holds requests and responses to it. Its schemas are JSON Schema 2020-12, as those of
// OpenAPI 3.1 are.
type description struct {
	document map[string]any
	schemas  *jsonschema.Compiler
}

func readDescription(t *testing.T) description {
	t.Helper()
	d := description{schemas: jsonschema.NewCompiler()}
	if err := yaml.Unmarshal(openAPI, &d.document); err != nil {
		t.Fatal(err)
	}
	d.schemas.DefaultDraft(jsonschema.Draft2020)
	d.schemas.AssertFormat()
	if err := d.schemas.AddResource("openapi.json", d.document); err != nil {
		t.Fatal(err)
	}
	return d
}

// node is a place in the document: its JSON pointer and its value. A reference is followed.
type node struct {
	pointer string
	value   map[string]any
}

// child returns the node under a key, or one without a value.
func (d description) child(of node, key string) node {
	value, _ := of.value[key].(map[string]any)
	found := node{of.pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key), value}
	if ref, ok := value["$ref"].(string); ok && strings.HasPrefix(ref, "#/") {
		found = node{value: d.document}
		for step := range strings.SplitSeq(ref[2:], "/") {
			found = d.child(found, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
		}
	}
	return found
}

// validate holds a value to the schema of a node. A node without a schema accepts all.
func (d description) validate(of node, value any) error {
	if of.value["schema"] == nil {
		return nil
	}
	schema, err := d.schemas.Compile("openapi.json#" + (&url.URL{Fragment: of.pointer + "/schema"}).EscapedFragment())
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// operation returns the node of a method and path.
func (d description) operation(method, path string) (node, error) {
	paths := d.child(node{value: d.document}, "paths")
	for template := range paths.value {
		if template == path || strings.HasSuffix(template, "}") && strings.HasPrefix(path, template[:strings.Index(template, "{")]) &&
			strings.Count(path, "/") == strings.Count(template, "/") && paths.value[path] == nil {
			if found := d.child(d.child(paths, template), strings.ToLower(method)); found.value != nil {
				return found, nil
			}
		}
	}
	return node{}, fmt.Errorf("%s %s is not described", method, path)
}

// checkRequest returns how a request is not as described.
func (d description) checkRequest(r *http.Request, body string) error {
	operation, err := d.operation(r.Method, r.URL.Path)
	if err != nil {
		return err
	}
	if !permitted(operation, r) {
		return fmt.Errorf("the key is missing")
	}
	parameters, _ := operation.value["parameters"].([]any)
	for i := range parameters {
		parameter := d.element(operation, "parameters", i)
		if err := d.checkParameter(parameter, r); err != nil {
			return fmt.Errorf("%v: %w", parameter.value["name"], err)
		}
	}
	requestBody := d.child(operation, "requestBody")
	if requestBody.value == nil {
		return nil
	}
	return d.checkContent(requestBody, r.Header.Get("Content-Type"), []byte(body))
}

// element returns the node of an element of a list.
func (d description) element(of node, list string, i int) node {
	elements, _ := of.value[list].([]any)
	key := fmt.Sprint(i)
	return d.child(node{of.pointer + "/" + list, map[string]any{key: elements[i]}}, key)
}

// permitted reports whether a request has the credentials of one of the alternatives of an operation.
func permitted(operation node, r *http.Request) bool {
	alternatives, _ := operation.value["security"].([]any)
	headers := map[string]string{"bearer": "Authorization", "header": "X-API-Key"}
	for _, alternative := range alternatives {
		missing := false
		for scheme := range alternative.(map[string]any) {
			missing = missing || r.Header.Get(headers[scheme]) == ""
		}
		if !missing {
			return true
		}
	}
	return len(alternatives) == 0
}

func (d description) checkParameter(parameter node, r *http.Request) error {
	name := fmt.Sprint(parameter.value["name"])
	var given []string
	switch parameter.value["in"] {
	case "query":
		given = r.URL.Query()[name]
	case "header":
		given = r.Header.Values(name)
	default:
		return nil // of the path: it has matched
	}
	if len(given) == 0 && parameter.value["required"] == true {
		return fmt.Errorf("missing")
	}
	for _, text := range given {
		var value any = text
		if schema := d.child(parameter, "schema"); schema.value["type"] == "integer" {
			value = json.Number(text)
			if json.Unmarshal([]byte(text), new(int)) != nil {
				return fmt.Errorf("%q is no integer", text)
			}
		}
		if err := d.validate(parameter, value); err != nil {
			return err
		}
	}
	return nil
}

// checkResponse returns how a response is not as described. It reads the body.
func (d description) checkResponse(r *http.Request, resp *http.Response) error {
	operation, err := d.operation(r.Method, r.URL.Path)
	if err != nil {
		return err
	}
	response := d.child(d.child(operation, "responses"), fmt.Sprint(resp.StatusCode))
	if response.value == nil {
		return fmt.Errorf("the status is not described")
	}
	headers := d.child(response, "headers")
	for name := range headers.value {
		if given := resp.Header.Get(name); given != "" {
			if err := d.validate(d.child(headers, name), given); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if response.value["content"] == nil {
		if len(body) > 0 {
			return fmt.Errorf("a body of %d bytes is not described", len(body))
		}
		return nil
	}
	return d.checkContent(response, resp.Header.Get("Content-Type"), body)
}

// checkContent holds a body to the schema of its media type.
func (d description) checkContent(of node, contentType string, body []byte) error {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return err
	}
	content := d.child(of, "content")
	described := d.child(content, media)
	if described.value == nil {
		if content.value["*/*"] == nil {
			return fmt.Errorf("media type %s is not described", media)
		}
		return nil
	}
	var value any = string(body)
	switch {
	case strings.HasSuffix(media, "json"):
		if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(body)); err != nil {
			return err
		}
	case media == "application/x-www-form-urlencoded":
		fields, err := url.ParseQuery(string(body))
		if err != nil {
			return err
		}
		form := make(map[string]any)
		for name, values := range fields {
			form[name] = values[0]
		}
		value = form
	}
	return d.validate(described, value)
}
