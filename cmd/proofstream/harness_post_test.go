package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// errUnknown: a post had no answer, or one with which the signup may be stored or not.
var errUnknown = errors.New("outcome unknown")

// tryPost posts a signup as JSON with an Idempotency-Key, if one is given. It may be called on any
// goroutine. The error wraps errUnknown when the signup may have been stored all the same.
func (p *program) tryPost(key string, fields ...string) (id string, err error) {
	id, _, err = postTo(p.url, p.key, key, fields...)
	return id, err
}

func postTo(url, apiKey, key string, fields ...string) (id string, duplicate bool, err error) {
	body := map[string]string{}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		body[name] = value
	}
	b, err := json.Marshal(body)
	if err != nil {
		return "", false, err
	}
	r, err := http.NewRequest("POST", url+"/signup", strings.NewReader(string(b)))
	if err != nil {
		return "", false, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+apiKey)
	if key != "" {
		r.Header["Idempotency-Key"] = []string{key}
	}
	resp, err := client.Do(r)
	if err != nil {
		return "", false, fmt.Errorf("%w: %w", errUnknown, err)
	}
	defer resp.Body.Close()
	var got struct {
		ID        string
		Duplicate bool
		Detail    string
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return "", false, fmt.Errorf("%w: status %d: %w", errUnknown, resp.StatusCode, err)
	}
	switch {
	case resp.StatusCode == 503:
		return "", false, fmt.Errorf("%w: status 503: %s", errUnknown, got.Detail)
	case resp.StatusCode != 200:
		return "", false, fmt.Errorf("status %d: %s", resp.StatusCode, got.Detail)
	}
	return got.ID, got.Duplicate, nil
}
