package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// element is what the tests read of a picture.
type element struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
}

func (e element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (e element) number(t *testing.T, name string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(e.attr(name), 64)
	if err != nil {
		t.Fatalf("%s of %s: %v", name, e.XMLName.Local, err)
	}
	return v
}

// picture is a picture that has been checked and read.
type picture struct {
	t        *testing.T
	source   string
	elements []element
}

// readPicture fails the test if a picture is not well-formed, refers to another document, or has a coordinate that is no finite number.
func readPicture(t *testing.T, write func(io.Writer) error) picture {
	t.Helper()
	var out strings.Builder
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"NaN", "Inf", "href", "url(", "@import", "<script"} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("the picture contains %s", bad)
		}
	}
	var root struct {
		XMLName  xml.Name  `xml:"http://www.w3.org/2000/svg svg"`
		Elements []element `xml:",any"`
	}
	if err := xml.Unmarshal([]byte(out.String()), &root); err != nil {
		t.Fatalf("%v in\n%s", err, out.String())
	}
	return picture{t, out.String(), root.Elements}
}

// find returns the only element with a name and class.
func (p picture) find(name, class string) element {
	p.t.Helper()
	var found []element
	for _, e := range p.elements {
		if e.XMLName.Local == name && e.attr("class") == class {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		p.t.Fatalf("%d elements %s with class %q, want 1 in\n%s", len(found), name, class, p.source)
	}
	return found[0]
}

func (p picture) wantTexts(want ...string) {
	p.t.Helper()
	for _, text := range want {
		if !strings.Contains(p.source, ">"+text+"</text>") {
			p.t.Errorf("no text %q in\n%s", text, p.source)
		}
	}
}

// measured returns a phase with latencies in milliseconds.
func measured(name string, subscribers int, ms ...float64) *Phase {
	h := newLatencies()
	for _, v := range ms {
		_ = h.RecordValue(int64(1000 * v))
	}
	p := percentiles(h)
	return &Phase{Name: name, Subscribers: subscribers, Latency: p, Join: p, Response: p}
}

func reportOf(phases ...*Phase) *Report {
	return &Report{
		URL: "https://news.example", Subscribers: 2000, Machine: "test machine", Phases: phases,
		Started: time.Date(2026, 11, 28, 9, 1, 0, 0, time.UTC),
	}
}

// TestPictureOfARunHasItsCurves would catch a curve in the wrong place, and a title, unit or legend that is missing.
func TestPictureOfARunHasItsCurves(t *testing.T) {
	var ms []float64
	for v := range 100 {
		ms = append(ms, float64(v+1))
	}
	r := reportOf(measured("connect", 2000, 40, 60), measured("paced", 2000, ms...), &Phase{Name: "drop", Subscribers: 2000})
	p := readPicture(t, r.writePicture)
	p.wantTexts("Latency of https://news.example", "2,000 subscribers, 2026-11-28 09:01 UTC, audit: no violation", "test machine",
		"latency, ms (log scale)", "percent p of the samples that took no longer (log scale of 100 − p)", "50", "90", "99",
		"connect, 2,000 connected: from connecting to ready", "paced, 2,000 connected: from due time to delivery", "samples", "p99, ms")
	if strings.Contains(p.source, "drop") {
		t.Error("the picture shows the phase drop, which has no latency")
	}
	points := strings.Fields(p.find("polyline", "series c1").attr("points"))
	first, last := points[0], points[len(points)-1]
	if want := fmt.Sprintf("%d.0,%d.0", plotLeft, plotBottom); first != want { // 1 ms, the least of all
		t.Errorf("the curve begins at %s, want %s", first, want)
	}
	if want := fmt.Sprintf("%d.0,155.8", plotRight); last != want { // one in 100 took 100 ms, on a scale from 1 to 200
		t.Errorf("the curve ends at %s, want %s", last, want)
	}
	if dot := p.find("circle", "f1"); dot.attr("cx")+","+dot.attr("cy") != last {
		t.Errorf("the maximum is at %s, %s, want it at the end of the curve, %s", dot.attr("cx"), dot.attr("cy"), last)
	}
}

// TestPictureOfAnyRunIsWellFormed would catch a division by zero, a logarithm of zero, and text that is not escaped.
func TestPictureOfAnyRunIsWellFormed(t *testing.T) {
	many := reportOf()
	for range 3 * svgColors {
		many.Phases = append(many.Phases, measured("paced", 1, 1, 2))
	}
	hostile := reportOf(measured("paced", 1, 5))
	hostile.Label, hostile.Machine = `<b>&"'`+"\x00\n]]>"+strings.Repeat("ä", 300), "--><script>"
	hostile.Total.Lost = 7
	cases := []struct {
		name   string
		report *Report
		want   string
	}{
		{"no phase", reportOf(), "no phase of this run measured a latency"},
		{"a phase without samples", reportOf(measured("paced", 10)), "no phase of this run measured a latency"},
		{"one sample", reportOf(measured("paced", 1, 5)), "paced, 1 connected: from due time to delivery"},
		{"the least latency", reportOf(measured("burst", 1, 0.001)), "0.001"},
		{"the greatest latency", reportOf(measured("churn", 1<<31, 600_000, 0.001)), "100,000"},
		{"more phases than colors", many, "2"},
		{"a label with markup", hostile, "https://news.example, 2,000 subscribers, 2026-11-28 09:01 UTC, audit: 7 violations"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { readPicture(t, c.report.writePicture).wantTexts(c.want) })
	}
}

// comparison returns the picture of the reports in files.
func comparison(t *testing.T, files ...string) picture {
	t.Helper()
	groups, err := readGroups(files)
	if err != nil {
		t.Fatal(err)
	}
	return readPicture(t, func(w io.Writer) error { return writeComparison(w, groups) })
}

// TestPictureOfAComparisonHasRatios would catch a bar of the wrong length, on the wrong side of 1, or of other medians.
func TestPictureOfAComparisonHasRatios(t *testing.T) {
	p := comparison(t, reportFile(t, "floor", 1000, 10, 72), reportFile(t, "floor", 1000, 40, 72), reportFile(t, "floor", 1000, 20, 72),
		reportFile(t, "a < b", 1000, 80, 5000))
	p.wantTexts("a &lt; b compared with floor", "floor: runs 3, violations 0; the bars are ratios to it", "a &lt; b: runs 1, violations 0",
		"1,000 subscribers", "p99 paced, ms", "less is better", "4.00", "20.0 → 80.0", "ratio to floor (log scale; 1 is equal)")
	var widths []float64
	for _, e := range p.elements {
		if e.XMLName.Local == "rect" && e.attr("class") == "f0" && e.number(t, "x") >= barsLeft {
			widths = append(widths, e.number(t, "width"))
		}
	}
	// The scale reaches from 0.5 to 5: CPU, p50 and connecting are equal, and p99 is 4.
	want := []float64{1, 1, (barsRight - barsLeft) * 0.60206, 1}
	if len(widths) != len(want) {
		t.Fatalf("bars of the widths %v, want %v", widths, want)
	}
	for i := range want {
		if widths[i] < want[i]-0.1 || widths[i] > want[i]+0.1 {
			t.Errorf("bar %d is %.1f wide, want %.1f", i, widths[i], want[i])
		}
	}
}

// TestPictureOfAnyComparisonIsWellFormed would catch an infinite bar, and figures that only one label has.
func TestPictureOfAnyComparisonIsWellFormed(t *testing.T) {
	cases := []struct {
		name  string
		files []string
		want  string
	}{
		{"no common number of subscribers", []string{reportFile(t, "a", 1, 1, 1), reportFile(t, "b", 2, 1, 1)}, "no figure is in the reports of both"},
		{"a figure of 0", []string{reportFile(t, "a", 1, 0, 0), reportFile(t, "b", 1, 5, 5)}, "connected in, s"},
		{"huge figures", []string{reportFile(t, "a", 1, 1e-300, 1), reportFile(t, "b", 1, 1e300, 1), reportFile(t, "c", 1, 1e-290, 1)}, "-"},
		{"a label with markup", []string{reportFile(t, "a", 1, 1, 1), reportFile(t, "</text>\x00", 1, 2, 1)}, "1 subscribers"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { comparison(t, c.files...).wantTexts(c.want) })
	}
}

// TestPictureNeedsTwoLabels would catch a picture whose bars all say 1.
func TestPictureNeedsTwoLabels(t *testing.T) {
	err := compareFiles(io.Discard, []string{reportFile(t, "a", 1, 1, 1)}, filepath.Join(t.TempDir(), "c.svg"))
	if !errors.Is(err, errOneLabel) {
		t.Errorf("got %v, want %v", err, errOneLabel)
	}
}

// TestRunWritesThePicture would catch a flag that draws nothing.
func TestRunWritesThePicture(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.svg")
	status, _ := measure(t, startFaulty(t, false, deliverAll).URL, "-subscribers", "3", "-events", "3", "-phases", "connect,paced", "-svg", file)
	b, err := os.ReadFile(file)
	if status != 0 || err != nil || !strings.Contains(string(b), "paced, 3 connected: from due time to delivery") {
		t.Errorf("status %d, error %v, picture\n%s\nwant one with the phase paced", status, err, b)
	}
}
