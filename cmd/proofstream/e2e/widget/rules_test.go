package widget

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

// The rules that need no page hold by themselves: ages, addresses, back-off, paths, templates, languages, the queue. The table is
// testdata/rules.js, which imports the widget's modules as they are in the sources.
func TestWidgetRules(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/widget/", http.StripPrefix("/widget", http.FileServerFS(os.DirFS(filepath.Join(e2e.Root, "assets", "widget")))))
	mux.Handle("/rules.js", http.FileServerFS(os.DirFS("testdata")))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<!doctype html><title>Rules</title>") })
	tab := e2e.Tab(t, e2e.ServeHandler(t, mux).URL)
	rows := e2e.Eval[[]struct{ Name, Got, Want string }](t, tab, "import('/rules.js').then(module => module.default)")
	for _, row := range rows {
		if row.Got != row.Want {
			t.Errorf("%s: got %s, want %s", row.Name, row.Got, row.Want)
		}
	}
	if len(rows) < 150 {
		t.Errorf("got %d rows, want all", len(rows))
	}
}
