package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"proofstream/stream/signup"
)

func TestNotesAreInTheResponseToJSON(t *testing.T) {
	h := serve(t)
	const picture, escaped, placeholder = "img_path is replaced by", "offer_name looks HTML-escaped", "user_name looks like a missing value"
	tests := []struct {
		name, body string
		headers    []string
		want       []string // how each note begins
	}{
		{"a sound signup", `{"user_name":"Ada"}`, []string{jsonType}, nil},
		{"a picture over http", `{"img_path":"http://cdn.example/a.png"}`, []string{jsonType}, []string{picture}},
		{"a name of a shop, escaped", `{"offer_name":"Ben &amp; Jerry&#8217;s"}`, []string{jsonType}, []string{escaped}},
		{"everything", `{"user_name":"undefined","offer_name":"&quot;","img_path":"a.png"}`, []string{jsonType}, []string{placeholder, escaped, picture}},
		{"a form that accepts JSON", "user_name=null", []string{formType, "Accept: application/json"}, []string{placeholder}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := h.request(t, "POST", "/signup", tt.body, append(tt.headers, asOwner)...)
			var answer struct {
				ID    string
				Notes []string
			}
			if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.status != 200 || answer.ID == "" {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			if !slices.EqualFunc(answer.Notes, tt.want, strings.HasPrefix) || strings.Contains(got.body, "notes") != (tt.want != nil) {
				t.Errorf("got %s, want notes %q", got.body, tt.want)
			}
		})
	}
	if got := h.request(t, "POST", "/signup", "user_name=undefined", asOwner); got.body != "thanks" {
		t.Errorf("a form got %q", got.body)
	}
}

func TestEachKindOfNoteOfASiteIsOneLineAnHour(t *testing.T) {
	h := serve(t)
	for range 3 {
		for _, key := range []string{defaultKey, shopKey} {
			h.request(t, "POST", "/signup", "user_name=NaN&place=undefined&offer_name=Secret+%26amp%3B&img_path=secret.png", "X-API-Key: "+key)
		}
	}
	logged := h.output.String()
	if n := strings.Count(logged, "level=WARN"); n != 6 {
		t.Errorf("got %d lines, want one for each of three kinds and two sites:\n%s", n, logged)
	}
	h.awaitOutput(t, "site=shop note=picture_replaced field=img_path advice=")
	if strings.Contains(strings.ToLower(logged), "secret") || strings.Contains(logged, "NaN") {
		t.Errorf("the log has what was posted:\n%s", logged)
	}
}

func TestHourlyIsDueAfterAnHour(t *testing.T) {
	var h hourly
	start := time.Now()
	for _, tt := range []struct {
		name  string
		after time.Duration
		want  bool
	}{
		{"a", 0, true}, {"a", time.Minute, false}, {"b", time.Minute, true}, {"a", time.Hour - 1, false}, {"a", time.Hour, true}, {"a", time.Hour + 1, false},
	} {
		if got := h.due(tt.name, start.Add(tt.after)); got != tt.want {
			t.Errorf("%s after %s: got %t", tt.name, tt.after, got)
		}
	}
}

// Nothing of a name that the policy drops is stored, and a broken name is refused under every policy.
func TestNamesPolicyIsAppliedBeforeAnythingIsStored(t *testing.T) {
	for policy, want := range map[signup.Names]string{
		signup.FullNames:    `"user_name":"Ada Lovelace"`,
		signup.FirstNames:   `"user_name":"Ada"`,
		signup.InitialNames: `"user_name":"A."`,
		signup.NoNames:      `"user_name":"someone","blank":["user_name"]`,
	} {
		t.Run(policy.String(), func(t *testing.T) {
			h := serve(t, func(o *setup) { o.Sites[1].Names = policy })
			for _, key := range []string{shopKey, defaultKey} {
				h.request(t, "POST", "/signup", `{"user_name":" Ada Lovelace ","offer_name":"Sale"}`, jsonType, "X-API-Key: "+key)
			}
			if got := h.request(t, "GET", "/recent?site=shop", "").body; !strings.Contains(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := h.request(t, "GET", "/recent", "").body; !strings.Contains(got, `"user_name":"Ada Lovelace"`) {
				t.Errorf("the other site has %s", got)
			}
			if got := h.request(t, "POST", "/signup", "user_name=Ada+%07Lovelace", "X-API-Key: "+shopKey); got.status != 422 {
				t.Errorf("a broken name got %d", got.status)
			}
		})
	}
}
