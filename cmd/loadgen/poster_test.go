package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A server may have closed a connection that was not used for a while. The next post opens another one: its outcome would else be unknown.
func TestPostAfterAPauseOpensAnotherConnection(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"id":"a-1"}`) }))
	defer server.Close()
	to, err := resolveTarget(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := newPoster(to, "key", newTagCodec())
	defer p.close()
	for seq := range uint32(2) {
		if got, err := p.post(tag{0, seq}); err != nil || got.status != http.StatusOK {
			t.Fatalf("post %d got %+v, %v", seq, got, err)
		}
		server.CloseClientConnections()
		p.used = time.Now().Add(-2 * idleLimit)
	}
}
