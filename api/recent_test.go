package api

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestRecentIsNewestFirst(t *testing.T) {
	h := serve(t, func(o *setup) { o.sqlite.Limits.Events = 30 })
	ids := h.postSome(t, 35)
	slices.Reverse(ids)
	for query, want := range map[string][]string{
		"": ids[:5], "?limit=2": ids[:2], "?limit=0": ids[:1], "?limit=-7": ids[:1], "?limit=1000": ids[:20], "?site=shop": nil,
	} {
		resp := h.request(t, "GET", "/recent"+query, "")
		var got struct {
			Events []struct {
				ID   string `json:"id"`
				Name string `json:"user_name"`
			}
			Last string `json:"last_event_id"`
		}
		if err := json.Unmarshal([]byte(resp.body), &got); err != nil || resp.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("got %v %s", resp.header, resp.body)
		}
		var seen []string
		for _, e := range got.Events {
			seen = append(seen, e.ID)
		}
		if upTo := got.Last == ids[0]; !slices.Equal(seen, want) || upTo != (want != nil) { // the other site has its own ids
			t.Errorf("%s: got %q up to %s, want %q", query, seen, got.Last, want)
		}
	}
}

// What one site's backend posts must not show in any response to pages of another site.
func TestSitesDoNotLeakIntoEachOther(t *testing.T) {
	h := serve(t)
	mine, theirs := h.open(t, "/events"), h.open(t, "/events?site=shop&recent=20")
	first := mine.next(t, 1)[0].ID
	theirs.next(t, 1)
	resp := h.request(t, "POST", "/signup", `{"user_name":"Theirs"}`, jsonType, "X-API-Key: "+shopKey)
	if got := theirs.next(t, 1)[0]; resp.status != 200 || got.Kind != "signup" {
		t.Fatalf("got %d and %+v", resp.status, got)
	}
	id := h.post(t, `{"user_name":"Mine"}`)
	if got := mine.next(t, 1)[0]; got.ID != id {
		t.Errorf("got %+v, want only %s", got, id)
	}
	if got := h.open(t, "/events?last_event_id="+first).next(t, 2)[1]; got.ID != id {
		t.Errorf("resumed: got %+v, want only %s", got, id)
	}
	for path, want := range map[string]string{"/stats": `{"subscribers":2,"events":1}`, "/stats?site=shop": `{"subscribers":1,"events":1}`} {
		if got := h.request(t, "GET", path, "").body; got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}
