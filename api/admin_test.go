package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const asBearer = "Authorization: Bearer " + defaultKey

// page returns the ids of a page of the operator's list.
func (h *harness) page(t *testing.T, query string) (ids []string) {
	t.Helper()
	got := h.request(t, "GET", "/admin/events"+query, "", asBearer)
	var list struct{ Events []struct{ ID string } }
	if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != 200 || list.Events == nil {
		t.Fatalf("%s: got %d %s", query, got.status, got.body)
	}
	if got.header.Get("Cache-Control") != "no-store" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("got headers %v", got.header)
	}
	for _, e := range list.Events {
		ids = append(ids, e.ID)
	}
	return ids
}

func TestAdminListsKeptSignupsNewestFirst(t *testing.T) {
	h := serve(t)
	if got := h.page(t, ""); len(got) != 0 {
		t.Errorf("an empty log has %q", got)
	}
	ids := h.postSome(t, 60)
	h.request(t, "DELETE", "/signup/"+ids[58], "", asOwner) // a retraction is no signup
	h.request(t, "POST", "/signup", "user_name=A", "X-API-Key: "+shopKey)
	epoch, _, _ := strings.Cut(ids[0], "-")
	kept := slices.Delete(slices.Clone(ids), 58, 59)
	slices.Reverse(kept)
	tests := []struct {
		name, query string
		want        []string
	}{
		{"the default", "", kept[:50]},
		{"one", "?limit=1", kept[:1]},
		{"more than there are", "?limit=200", kept},
		{"a limit that is too high", "?limit=1000", kept},
		{"a limit that is too low", "?limit=0", kept[:1]},
		{"the page after", "?limit=2&before=" + kept[1], kept[2:4]},
		{"before an erased event", "?limit=2&before=" + ids[58], kept[1:3]},
		{"before the oldest", "?before=" + ids[0], nil},
		{"before an id that is not given yet", "?limit=1&before=" + epoch + "-9999999999999999999", kept[:1]},
		{"an empty before", "?before=&limit=3", kept[:3]},
	}
	for _, tt := range tests {
		if got := h.page(t, tt.query); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	got := h.request(t, "GET", "/admin/events?limit=1", "", asBearer).body
	if !strings.HasPrefix(got, fmt.Sprintf(`{"events":[{"id":"%s","img_path":"default","offer_name":`, ids[59])) || !strings.Contains(got, `"at":"`) {
		t.Errorf("got %s", got)
	}
}

func TestAdminTakesABearerKeyOnly(t *testing.T) {
	h := serve(t)
	h.postSome(t, 1)
	for _, tt := range []struct {
		name, query string
		headers     []string
	}{
		{"no key", "", nil},
		{"a wrong key", "", []string{"Authorization: Bearer wrong"}},
		{"a key in another header", "", []string{asOwner}},
		{"a Basic key beside one in another header", "", []string{"Authorization: Basic x", asOwner}},
		{"a key in the query", "?api_key=" + defaultKey, nil},
		{"a wrong key and a wrong query", "?limit=x", []string{"Authorization: Bearer wrong"}},
	} {
		got := h.request(t, "GET", "/admin/events"+tt.query, "", tt.headers...)
		if got.status != 401 || got.header.Get("WWW-Authenticate") != "Bearer" || strings.Contains(got.body, "events") {
			t.Errorf("%s: got %d %s", tt.name, got.status, got.body)
		}
	}
	for _, query := range []string{"?limit=x", "?limit=1.5", "?before=x", "?before=k-0", "?before=1"} {
		if got := h.request(t, "GET", "/admin/events"+query, "", asBearer); got.status != 400 {
			t.Errorf("%s: got %d %s, want 400", query, got.status, got.body)
		}
	}
	if got := h.request(t, "POST", "/admin/events", "x=1", asBearer); got.status != 405 {
		t.Errorf("a post got %d", got.status)
	}
}

func TestAdminCountsWrongKeys(t *testing.T) {
	h := serve(t)
	limited := 0
	for range 30 {
		if h.request(t, "GET", "/admin/events", "", "Authorization: Bearer wrong").status == 429 {
			limited++
		}
	}
	if limited < 5 {
		t.Errorf("%d of 30 wrong keys were limited, want all after the first 20", limited)
	}
	h.page(t, "") // a right key passes
}

// The operator's list is for the service's own pages, whatever pages may show events.
func TestAdminIsReadableFromItsOwnOriginOnly(t *testing.T) {
	h := serve(t)
	for from, want := range map[string]string{"https://pages.example.com": "", h.url: h.url} {
		if got := h.request(t, "GET", "/admin/events", "", asBearer, "Origin: "+from); got.header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("%s: got %v, want Access-Control-Allow-Origin %q", from, got.header, want)
		}
	}
}
