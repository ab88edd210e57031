package api_test

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestRecentIsNewestFirst(t *testing.T) {
	f := serve(t, func(o *setup) { o.log.Limits.Events = 30 })
	ids := f.postSome(35)
	slices.Reverse(ids)
	for query, want := range map[string][]string{
		"": ids[:5], "?limit=2": ids[:2], "?limit=0": ids[:1], "?limit=-7": ids[:1], "?limit=1000": ids[:20], "?site=other": nil,
	} {
		a := f.ask("GET", "/recent"+query, "")
		var got struct {
			Events []struct {
				ID   string `json:"id"`
				Name string `json:"user_name"`
			}
			Last string `json:"last_event_id"`
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("got %v %s", a.header, a.body)
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

// What one site's backend posts must show in nothing that another site's pages can ask for.
func TestSitesDoNotLeakIntoEachOther(t *testing.T) {
	f := serve(t)
	mine, theirs := f.open(ways[0], "/events"), f.open(ways[0], "/events?site=other&recent=20")
	r := &reader{}
	first := mine.next(t, r, 1)[0].id
	theirs.next(t, &reader{}, 1)
	a := f.ask("POST", "/signup", `{"user_name":"Theirs"}`, jsonType, "X-API-Key: "+otherKey)
	if got := theirs.next(t, &reader{}, 1)[0]; a.status != 200 || got.kind != "signup" {
		t.Fatalf("got %d and %+v", a.status, got)
	}
	id := f.post(`{"user_name":"Mine"}`)
	if got := mine.next(t, r, 1)[0]; got.id != id {
		t.Errorf("got %+v, want only %s", got, id)
	}
	if got := f.open(ways[0], "/events?last_event_id="+first).next(t, &reader{}, 2)[1]; got.id != id {
		t.Errorf("resumed: got %+v, want only %s", got, id)
	}
	for path, want := range map[string]string{"/stats": `{"subscribers":2,"events":1}`, "/stats?site=other": `{"subscribers":1,"events":1}`} {
		if got := f.ask("GET", path, "").body; got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}
