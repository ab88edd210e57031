package main

import (
	"os"
	"strings"
	"testing"
)

// reportFile writes a report as -json does.
func reportFile(t *testing.T, label string, subscribers int, p99, bytes float64) string {
	t.Helper()
	r := &Report{Tool: "loadgen", Label: label, Machine: "test machine", Subscribers: subscribers, Phases: []*Phase{
		{Name: "connect", Subscribers: subscribers, Seconds: 0.5, BytesSubscriber: bytes},
		{Name: "paced", Subscribers: subscribers, Latency: &Percentiles{P50: 1, P90: 2, P99: p99, P999: 4 * p99, Max: 5 * p99},
			Server: &Usage{MicrosPerUnit: 7}, Generator: &Usage{CPUShare: 0.3}},
	}}
	file, err := os.CreateTemp(t.TempDir(), "*.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := r.writeJSON(file); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

func sampleFiles(t *testing.T) []string {
	return []string{
		reportFile(t, "floor", 1000, 10, 72), reportFile(t, "floor", 1000, 30, 72), reportFile(t, "floor", 1000, 20, 72),
		reportFile(t, "a < b", 1000, 25, 5000), reportFile(t, "a < b", 19000, 25, 5500),
	}
}

// TestCompareTakesMediansAndRatios would catch a mean, a ratio to the wrong label, and a median over
// reports with different numbers of subscribers.
func TestCompareTakesMediansAndRatios(t *testing.T) {
	var out strings.Builder
	if err := compareFiles(&out, sampleFiles(t), ""); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"1,000 subscribers floor (of 3) a < b (of 1) ratio", "p99 paced, ms 20.0 25.0 1.25",
		"19,000 subscribers floor (of 0) a < b (of 1)", "p99 paced, ms - 25.0 -", "burst deliveries/s - - -",
		"a < b: bytes / idle subscriber 5000 5500 +10 %", "floor: bytes / idle subscriber 72 - -",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
