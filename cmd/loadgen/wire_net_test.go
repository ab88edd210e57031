package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"os"
	"strings"
	"testing"
)

// TestGoroutineWire runs the audit over the wire that https and other systems use: all is well
// with a faultless server, and a fault is found.
func TestGoroutineWire(t *testing.T) {
	for lost, wait := range []string{"30s", "5s"} { // until something is given up; a busy machine may be late
		lost := int64(lost)
		server := startFaulty(t, true, func(stream, event int, frame string) string {
			if lost == 1 && stream == 7 && event == 3 {
				return ":\n"
			}
			return frame
		})
		audit := measureTLS(t, server.URL, server.Certificate(), wait)
		if audit.Lost != lost || audit.flaws() != lost || audit.Delivered == 0 {
			t.Errorf("audit %+v, want %d lost", audit, lost)
		}
	}
}

func measureTLS(t *testing.T, url string, certificate *x509.Certificate, wait string) audit {
	args := "-key right -subscribers 20 -publishers 4 -events 10 -rate 100 -behind 5 -settle 1ms -churn-for 200ms -wait " + wait +
		" -churn 6000 -phases connect,paced,resume,churn,drop -url " + url
	o, err := parseOptions(strings.Fields(args), os.Getenv, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	target, err := findTarget(url)
	if err != nil {
		t.Fatal(err)
	}
	target.secure.RootCAs = x509.NewCertPool()
	target.secure.RootCAs.AddCert(certificate)
	target.secure.MinVersion = tls.VersionTLS13
	r, err := newRunner(t.Context(), target, o, newProgress(io.Discard, true))
	if err != nil {
		t.Fatal(err)
	}
	report, err := r.run()
	if err != nil {
		t.Fatal(err)
	}
	return report.Total
}
