package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"os"
	"strings"
	"testing"
)

// TestNetTransport would catch a netTransport, used for https, that loses or repeats events itself, or
// an audit that misses a lost event there.
func TestNetTransport(t *testing.T) {
	for lost, wait := range []string{"30s", "5s"} { // by lost events: the longest wait; only a lost event uses all of it
		lost := int64(lost)
		server := startFaulty(t, true, func(stream, event int, frame string) string {
			if lost == 1 && stream == 7 && event == 3 {
				return ":\n"
			}
			return frame
		})
		audit := measureTLS(t, server.URL, server.Certificate(), wait)
		if audit.Lost != lost || audit.violations() != lost || audit.Delivered == 0 {
			t.Errorf("audit %+v, want %d lost", audit, lost)
		}
	}
}

func measureTLS(t *testing.T, url string, certificate *x509.Certificate, wait string) audit {
	args := "-key right -subscribers 20 -publishers 4 -events 10 -rate 100 -missed 5 -idle-for 1ms -churn-for 200ms -wait " + wait +
		" -churn 6000 -phases connect,paced,resume,churn,drop -url " + url
	o, err := parseOptions(strings.Fields(args), os.Getenv, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	target, err := resolveTarget(url)
	if err != nil {
		t.Fatal(err)
	}
	target.tls.RootCAs = x509.NewCertPool()
	target.tls.RootCAs.AddCert(certificate)
	target.tls.MinVersion = tls.VersionTLS13
	r, err := newRunner(target, o, newProgress(io.Discard, true))
	if err != nil {
		t.Fatal(err)
	}
	report, err := r.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report.Total
}
