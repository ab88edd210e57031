package origin

import (
	"net/http"
	"testing"
)

func TestSameHost(t *testing.T) {
	tests := []struct {
		host, origin string
		want         bool
	}{
		{"proof.example", "https://proof.example", true},
		{"proof.example", "http://proof.example", true}, // a proxy has ended TLS
		{"proof.example:443", "https://proof.example", true},
		{"proof.example:80", "http://proof.example", true},
		{"Proof.Example:8443", "https://proof.example:8443", true},
		{"[::1]:80", "http://[::1]", true},
		{"proof.example:80", "https://proof.example", false},
		{"proof.example:443", "http://proof.example", false},
		{"proof.example:8443", "https://proof.example", false},
		{"proof.example", "https://proof.example:8443", false},
		{"proof.example", "https://evil.example", false},
		{"proof.example", "https://proof.example/", false},
		{"proof.example", "app://proof.example", false},
		{"proof.example", "null", false},
	}
	for _, test := range tests {
		if got := SameHost(&http.Request{Host: test.host}, test.origin); got != test.want {
			t.Errorf("host %q, origin %q: got %v", test.host, test.origin, got)
		}
	}
}
